//! The pixels of agents' pictures (8.1): how large one is, and the same one smaller.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};
use website::image::Size;

/// A picture that is larger is sent as it is. Its file is small, but what it unpacks to need not be: four bytes a pixel.
const LARGEST: Size = Size { width: 2_048, height: 2_048 };
/// The most memory, in bytes, that reading a picture may take.
const MEMORY: u64 = 32 << 20;
/// Of a hundred, how much of a JPEG picture is kept.
const QUALITY: u8 = 85;

/// How large a picture is by its first bytes; `None` if they do not say it, or it is too large to be scaled here.
pub(crate) fn size(file: &[u8]) -> Option<Size> {
    let (width, height) = reader(file)?.into_dimensions().ok()?;
    (1..=LARGEST.width).contains(&width).then_some(())?;
    (1..=LARGEST.height).contains(&height).then_some(Size { width, height })
}

/// The picture in another size, in its own format; `None` if it cannot be read.
pub(crate) fn scaled(file: &[u8], to: Size) -> Option<Vec<u8>> {
    let reader = reader(file)?;
    let format = reader.format()?;
    let picture = reader.decode().ok()?.resize_exact(to.width, to.height, FilterType::Triangle);
    encoded(&picture, format).ok()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, ImageError> {
    let mut file = Vec::new();
    if format == ImageFormat::Jpeg {
        // The format has no transparency.
        picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut file, QUALITY))?;
    } else {
        picture.write_with_encoder(PngEncoder::new(&mut file))?;
    }
    Ok(file)
}

fn reader(file: &[u8]) -> Option<ImageReader<Cursor<&[u8]>>> {
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST.width);
    limits.max_image_height = Some(LARGEST.height);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    Some(reader)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgba, RgbaImage};

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let blue = RgbaImage::from_pixel(width, height, Rgba([10, 20, 200, 255]));
        encoded(&DynamicImage::ImageRgba8(blue), format).unwrap()
    }

    #[test]
    fn picture_keeps_its_format_and_its_colour() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let file = picture(200, 100, format);
            assert_eq!(size(&file), Some(Size { width: 200, height: 100 }));
            let small = scaled(&file, Size { width: 64, height: 32 }).unwrap();
            assert_eq!(size(&small), Some(Size { width: 64, height: 32 }));
            assert_eq!(image::guess_format(&small).unwrap(), format);
            let Rgb([red, green, blue]) = *image::load_from_memory(&small).unwrap().to_rgb8().get_pixel(30, 15);
            assert!(red < 30 && green < 40 && blue > 180, "{red} {green} {blue}");
        }
    }

    #[test]
    fn transparency_is_kept() {
        let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(40, 40, Rgba([0, 0, 0, 0])));
        let small = scaled(&encoded(&clear, ImageFormat::Png).unwrap(), Size { width: 16, height: 16 }).unwrap();
        assert_eq!(image::load_from_memory(&small).unwrap().to_rgba8().get_pixel(8, 8).0[3], 0);
    }

    #[test]
    fn what_is_no_picture_or_too_large_a_one_has_no_size() {
        let too_wide = picture(2_049, 1, ImageFormat::Png);
        for file in [&b"\x89PNG\r\n\x1a\n"[..], b"", b"text", &too_wide] {
            assert_eq!(size(file), None);
        }
        assert_eq!(scaled(&too_wide, Size { width: 16, height: 16 }), None);
        assert_eq!(scaled(b"\xff\xd8\xff\xe0", Size { width: 16, height: 16 }), None);
    }
}
