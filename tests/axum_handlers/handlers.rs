//! The handlers, their state and their extractors.

/// Makes all handlers, each with the attribute if one is given.
macro_rules! handlers {
    ($($attribute:meta)?) => {
        use std::collections::BTreeMap;
        use std::fmt::Display;
        use std::str::FromStr;
        use std::sync::{Arc, RwLock};

        use axum::body::Bytes;
        use axum::extract::rejection::JsonRejection;
        use axum::extract::{Form, FromRequest, FromRequestParts, Path, Query, State};
        use axum::http::StatusCode;
        use axum::http::request::Parts;
        use axum::response::{Html, IntoResponse, Response};
        use axum::routing::{delete, get, patch, post};
        use axum::{Json, Router};
        use serde::{Deserialize, Deserializer, Serialize, de};

        // ---- todos: state behind a lock, optional queries, partial updates

        type Todos = Arc<RwLock<BTreeMap<u64, Todo>>>;

        #[derive(Clone, Debug, Serialize)]
        struct Todo {
            id: u64,
            text: String,
            completed: bool,
        }

        #[derive(Debug, Default, Deserialize)]
        struct Pagination {
            offset: Option<usize>,
            limit: Option<usize>,
        }

        #[derive(Debug, Deserialize)]
        struct CreateTodo {
            text: String,
        }

        #[derive(Debug, Deserialize)]
        struct UpdateTodo {
            text: Option<String>,
            completed: Option<bool>,
        }

        $(#[$attribute])?
        async fn todos_index(
            Query(pagination): Query<Pagination>,
            State(todos): State<Todos>,
        ) -> impl IntoResponse {
            let todos = todos.read().expect("nobody panicked");
            let limit = pagination.limit.unwrap_or(usize::MAX);
            let page = todos.values().skip(pagination.offset.unwrap_or(0)).take(limit);
            Json(page.cloned().collect::<Vec<_>>())
        }

        $(#[$attribute])?
        async fn todos_create(
            State(todos): State<Todos>,
            Json(input): Json<CreateTodo>,
        ) -> impl IntoResponse {
            let mut todos = todos.write().expect("nobody panicked");
            let id = todos.keys().next_back().map_or(1, |last| last + 1);
            let todo = Todo { id, text: input.text, completed: false };
            todos.insert(id, todo.clone());
            (StatusCode::CREATED, Json(todo))
        }

        $(#[$attribute])?
        async fn todos_update(
            Path(id): Path<u64>,
            State(todos): State<Todos>,
            Json(input): Json<UpdateTodo>,
        ) -> Result<impl IntoResponse, StatusCode> {
            let mut todos = todos.write().expect("nobody panicked");
            let todo = todos.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
            if let Some(text) = input.text {
                todo.text = text;
            }
            todo.completed = input.completed.unwrap_or(todo.completed);
            Ok(Json(todo.clone()))
        }

        $(#[$attribute])?
        async fn todos_delete(Path(id): Path<u64>, State(todos): State<Todos>) -> impl IntoResponse {
            if todos.write().expect("nobody panicked").remove(&id).is_some() {
                return StatusCode::NO_CONTENT;
            }
            StatusCode::NOT_FOUND
        }

        // ---- key-value-store: bodies as bytes, substates

        #[derive(Clone, Default)]
        struct Store(Arc<RwLock<BTreeMap<String, Bytes>>>);

        $(#[$attribute])?
        async fn store_get(
            Path(key): Path<String>,
            State(Store(store)): State<Store>,
        ) -> Result<Bytes, StatusCode> {
            let store = store.read().expect("nobody panicked");
            store.get(&key).cloned().ok_or(StatusCode::NOT_FOUND)
        }

        $(#[$attribute])?
        async fn store_set(
            Path(key): Path<String>,
            State(Store(store)): State<Store>,
            bytes: Bytes,
        ) {
            store.write().expect("nobody panicked").insert(key, bytes);
        }

        $(#[$attribute])?
        async fn store_keys(State(store): State<Store>) -> String {
            let store = store.0.read().expect("nobody panicked");
            store.keys().map(String::as_str).collect::<Vec<_>>().join("\n")
        }

        $(#[$attribute])?
        async fn store_remove(Path(key): Path<String>, State(store): State<Store>) {
            store.0.write().expect("nobody panicked").remove(&key);
        }

        $(#[$attribute])?
        async fn store_clear(State(store): State<Store>) {
            store.0.write().expect("nobody panicked").clear();
        }

        // ---- error-handling: a custom extractor and a custom error

        #[derive(FromRequest)]
        #[from_request(via(axum::Json), rejection(AppError))]
        struct AppJson<T>(T);

        impl<T: Serialize> IntoResponse for AppJson<T> {
            fn into_response(self) -> Response {
                Json(self.0).into_response()
            }
        }

        enum AppError {
            Json(JsonRejection),
            EmptyName,
        }

        impl From<JsonRejection> for AppError {
            fn from(rejection: JsonRejection) -> Self {
                Self::Json(rejection)
            }
        }

        impl IntoResponse for AppError {
            fn into_response(self) -> Response {
                #[derive(Serialize)]
                struct Message {
                    message: String,
                }
                let (status, message) = match self {
                    Self::Json(rejection) => (rejection.status(), rejection.body_text()),
                    Self::EmptyName => {
                        (StatusCode::INTERNAL_SERVER_ERROR, "a name is empty".to_owned())
                    }
                };
                (status, Json(Message { message })).into_response()
            }
        }

        #[derive(Clone, Debug, Deserialize)]
        struct NewUser {
            name: String,
        }

        #[derive(Clone, Debug, Serialize)]
        struct User {
            id: u64,
            name: String,
        }

        $(#[$attribute])?
        async fn accounts_create(
            AppJson(account): AppJson<NewUser>,
        ) -> Result<AppJson<User>, AppError> {
            if account.name.is_empty() {
                Err(AppError::EmptyName)?;
            }
            Ok(AppJson(User { id: 1, name: account.name }))
        }

        // ---- form

        #[derive(Debug, Deserialize)]
        struct Input {
            name: String,
            email: String,
        }

        $(#[$attribute])?
        async fn form_show() -> Html<&'static str> {
            Html("<form method=post><input name=name><input name=email><button>Send</button></form>")
        }

        $(#[$attribute])?
        async fn form_accept(Form(Input { name, email }): Form<Input>) -> Html<String> {
            Html(format!("{name} <{email}>"))
        }

        // ---- versioning: an extractor of path segments

        #[derive(Clone, Copy, Debug)]
        enum Version {
            One,
            Two,
        }

        impl<S: Send + Sync> FromRequestParts<S> for Version {
            type Rejection = Response;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
                let Path(segments): Path<BTreeMap<String, String>> =
                    Path::from_request_parts(parts, state)
                        .await
                        .map_err(IntoResponse::into_response)?;
                match segments.get("version").map(String::as_str) {
                    Some("v1") => Ok(Self::One),
                    Some("v2") => Ok(Self::Two),
                    other => {
                        let message = format!("unknown version {}", other.unwrap_or("none"));
                        Err((StatusCode::NOT_FOUND, message).into_response())
                    }
                }
            }
        }

        $(#[$attribute])?
        async fn versioned(version: Version) -> String {
            format!("version {version:?} of books")
        }

        // ---- query-params-with-empty-strings

        #[derive(Debug, Deserialize)]
        struct Search {
            #[serde(default, deserialize_with = "empty_as_none")]
            words: Option<String>,
            #[serde(default, deserialize_with = "empty_as_none")]
            limit: Option<u32>,
        }

        fn empty_as_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
        where
            D: Deserializer<'de>,
            T: FromStr,
            T::Err: Display,
        {
            match Option::<String>::deserialize(deserializer)?.as_deref() {
                None | Some("") => Ok(None),
                Some(text) => text.parse().map(Some).map_err(de::Error::custom),
            }
        }

        $(#[$attribute])?
        async fn search(Query(search): Query<Search>) -> String {
            format!("{:?}, {:?}", search.words, search.limit)
        }

        // ---- dependency-injection: generic over the repository, and behind a trait object

        trait Users: Send + Sync {
            fn get(&self, id: u64) -> Option<User>;
            fn save(&self, user: NewUser) -> User;
        }

        #[derive(Clone, Debug, Default)]
        struct InMemory(Arc<RwLock<Vec<User>>>);

        impl Users for InMemory {
            fn get(&self, id: u64) -> Option<User> {
                let users = self.0.read().expect("nobody panicked");
                users.iter().find(|user| user.id == id).cloned()
            }

            fn save(&self, NewUser { name }: NewUser) -> User {
                let mut users = self.0.write().expect("nobody panicked");
                let user = User { id: users.len() as u64 + 1, name };
                users.push(user.clone());
                user
            }
        }

        #[derive(Clone)]
        struct Generic<T> {
            users: T,
        }

        #[derive(Clone)]
        struct Dynamic {
            users: Arc<dyn Users>,
        }

        $(#[$attribute])?
        async fn users_create_generic<T>(
            State(state): State<Generic<T>>,
            Json(user): Json<NewUser>,
        ) -> Json<User>
        where
            T: Users + 'static,
        {
            Json(state.users.save(user))
        }

        $(#[$attribute])?
        async fn users_get_generic<T: Users + 'static>(
            State(state): State<Generic<T>>,
            Path(id): Path<u64>,
        ) -> Result<Json<User>, StatusCode> {
            state.users.get(id).map(Json).ok_or(StatusCode::NOT_FOUND)
        }

        $(#[$attribute])?
        async fn users_get_dynamic(
            State(Dynamic { users }): State<Dynamic>,
            Path(id): Path<u64>,
        ) -> Result<Json<User>, StatusCode> {
            match users.get(id) {
                Some(user) => Ok(Json(user)),
                None => Err(StatusCode::NOT_FOUND),
            }
        }

        pub(crate) fn router() -> Router {
            let in_memory = InMemory::default();
            let generic = Router::new()
                .route("/generic/users", post(users_create_generic::<InMemory>))
                .route("/generic/users/{id}", get(users_get_generic::<InMemory>))
                .with_state(Generic { users: in_memory.clone() });
            let dynamic = Router::new()
                .route("/dynamic/users/{id}", get(users_get_dynamic))
                .with_state(Dynamic { users: Arc::new(in_memory) });
            let todos = Router::new()
                .route("/todos", get(todos_index).post(todos_create))
                .route("/todos/{id}", patch(todos_update).delete(todos_delete))
                .with_state(Todos::default());
            let store = Router::new()
                .route("/store/{key}", get(store_get).put(store_set).delete(store_remove))
                .route("/store", delete(store_clear))
                .route("/keys", get(store_keys))
                .with_state(Store::default());
            Router::new()
                .route("/accounts", post(accounts_create))
                .route("/form", get(form_show).post(form_accept))
                .route("/{version}/books", get(versioned))
                .route("/search", get(search))
                .merge(todos)
                .merge(store)
                .merge(generic)
                .merge(dynamic)
        }
    };
}

pub(crate) use handlers;
