//! Methods of traits, whose callers await them.

trait Codec {
    async fn encode(self) -> Vec<u8>;

    fn decode(bytes: Vec<u8>) -> impl Future<Output = Option<Self>> + Send
    where
        Self: Sized;
}

impl Codec for u32 {
    #[loom::compute]
    fn encode(self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }

    #[loom::compute]
    fn decode(bytes: Vec<u8>) -> Option<Self> {
        Some(Self::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl<T: Codec + Send + 'static> Codec for Option<T> {
    #[loom::compute]
    async fn encode(self) -> Vec<u8> {
        vec![u8::from(self.is_some())]
    }

    #[loom::compute]
    fn decode(bytes: Vec<u8>) -> Option<Self> {
        bytes.is_empty().then_some(None)
    }
}

#[loom::test]
async fn runs() {
    assert_eq!(7_u32.encode().await, [7, 0, 0, 0]);
    assert_eq!(u32::decode(vec![7, 0, 0, 0]).await, Some(7));
    assert_eq!(u32::decode(vec![7]).await, None);
    assert_eq!(Some(1_u32).encode().await, [1]);
    assert_eq!(tokio::spawn(Option::<u32>::decode(vec![])).await.ok(), Some(Some(None)));
}
