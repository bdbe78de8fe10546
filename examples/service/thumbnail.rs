//! `POST /thumbnail?width=N`: a PNG or JPEG in, a smaller JPEG out.

use std::io::Cursor;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::header;
use axum::response::IntoResponse;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::body::Limited;
use crate::call::call;
use crate::refusal::Refusal;

const LIMIT: usize = 10 * 1024 * 1024;
const ACCEPTED: &[&str] = &["image/png", "image/jpeg", "image/jpg"];
const MAX_WIDTH: u32 = 2048;
/// A few kilobytes can claim to be a picture of any size. These are the limits for the decoded
/// bytes and for the longest side; shrinking adds only the thumbnail itself.
const MAX_DECODED: u64 = 100 * 1024 * 1024;
const MAX_SIDE: u32 = 16_384;
const MAX_ALLOC: u64 = 256 * 1024 * 1024;
const QUALITY: u8 = 85;

/// Thumbnails that were stopped between two steps because their client had gone.
static STOPPED: AtomicU64 = AtomicU64::new(0);

/// Milliseconds to a second: decodes, turns upright, shrinks, encodes. The priority is low, since
/// a user can read the page before its pictures arrive.
/// Where the service belongs to a fleet, a call goes to another process if it would wait longer here.
#[loom::compute(fleet, idempotent, hint = "high", priority = "low")]
fn shrink(source: Bytes, width: u32) -> Result<Bytes, Refusal> {
    let mut decoder = decoder(&source)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    still_wanted()?;
    image.apply_orientation(orientation);
    still_wanted()?;
    // Never larger than the original, since invented pixels add no detail.
    let width = width.min(image.width());
    let height = u64::from(image.height()) * u64::from(width) / u64::from(image.width());
    let height = u32::try_from(height).unwrap_or(u32::MAX).max(1);
    // This averages in place; filters of better quality need a copy in floating point.
    let image = image.thumbnail_exact(width, height);
    still_wanted()?;
    let mut jpeg = Vec::new();
    on_white(&image)
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|error| {
            Refusal::unprocessable(format!("The thumbnail cannot be encoded: {error}."))
        })?;
    Ok(jpeg.into())
}

/// Checks between two steps whether the client still waits. When the client goes, its handler is
/// dropped, and the call's future with it, but a running call can only stop by itself.
fn still_wanted() -> Result<(), Refusal> {
    if loom::is_cancelled() {
        STOPPED.fetch_add(1, Ordering::Relaxed);
        return Err(Refusal::nobody_waits());
    }
    Ok(())
}

/// How many thumbnails were given up half-way.
pub(crate) fn stopped() -> u64 {
    STOPPED.load(Ordering::Relaxed)
}

/// Reads the header, and refuses a body that is no picture or too large a picture.
///
/// A handler does this before the compute call: refusals take microseconds, and Loom must not
/// learn from them that thumbnails do.
fn decoder(source: &[u8]) -> Result<impl ImageDecoder + '_, Refusal> {
    let format = image::guess_format(source)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))
        .ok_or_else(|| Refusal::wrong_type("The body is neither a PNG nor a JPEG image."))?;
    let mut reader = ImageReader::with_format(Cursor::new(source), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || decoder.total_bytes() > MAX_DECODED {
        return Err(Refusal::unprocessable(format!(
            "The image has {width} × {height} pixels; this service takes up to {MAX_SIDE} a side \
             and {} MiB as decoded.",
            MAX_DECODED / 1024 / 1024
        )));
    }
    Ok(decoder)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn broken(error: ImageError) -> Refusal {
    Refusal::unprocessable(format!("The image cannot be decoded: {error}."))
}

/// JPEG has no transparency, so the background is white, as on a page.
fn on_white(image: &DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return DynamicImage::ImageRgb8(image.to_rgb8());
    }
    let source = image.to_rgba8();
    let mut flat = RgbImage::new(source.width(), source.height());
    for (to, from) in flat.pixels_mut().zip(source.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u16::from);
        let over_white = |c: u16| ((c * alpha + 255 * (255 - alpha)) / 255).min(255);
        to.0 = [red, green, blue].map(|c| u8::try_from(over_white(c)).unwrap_or(u8::MAX));
    }
    DynamicImage::ImageRgb8(flat)
}

pub(crate) async fn handler(
    RawQuery(query): RawQuery,
    body: Limited<LIMIT>,
) -> Result<impl IntoResponse, Refusal> {
    let width = width(query.as_deref())?;
    body.expect_type(ACCEPTED, "a PNG or JPEG image")?;
    decoder(&body.data)?;
    let jpeg = call(shrink(body.data, width)).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg))
}

fn width(query: Option<&str>) -> Result<u32, Refusal> {
    let wanted = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("width="))
        .ok_or_else(|| {
            Refusal::bad_request(format!("Say how wide: `?width=N`, 1 to {MAX_WIDTH}."))
        })?;
    match wanted.parse() {
        Ok(width @ 1..=MAX_WIDTH) => Ok(width),
        _ => Err(Refusal::bad_request(format!(
            "Expected a width of 1 to {MAX_WIDTH} pixels, not `{}`.",
            wanted.chars().take(40).collect::<String>()
        ))),
    }
}
