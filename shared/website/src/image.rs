//! How large an agent's picture becomes (8.1, AgentImage); the pixels are somebody else's.

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// Smallest side that is asked for.
const MIN_SIDE: u32 = 16;
/// Largest side that is asked for, and that is sent.
const MAX_SIDE: u32 = 512;

/// A side as the query asks for it: clamped to 16..512, `None` when it is absent or no whole number.
#[must_use]
pub fn asked_side(text: Option<&str>) -> Option<u32> {
    let pixels = text?.parse::<i64>().ok()?;
    u32::try_from(pixels.clamp(i64::from(MIN_SIDE), i64::from(MAX_SIDE))).ok()
}

/// The size to send a picture of size `picture` in. Both sides asked for are taken as they are, one keeps the proportion,
/// none leaves the picture as it is but for the largest side there is. Nothing is enlarged.
#[must_use]
pub fn target_size(picture: Size, width: Option<u32>, height: Option<u32>) -> Size {
    let clamp = |asked: u32, side: u32| asked.clamp(MIN_SIDE, MAX_SIDE).min(side).max(1);
    if let (Some(width), Some(height)) = (width, height) {
        return Size { width: clamp(width, picture.width), height: clamp(height, picture.height) };
    }
    let (original_width, original_height) = (u64::from(picture.width.max(1)), u64::from(picture.height.max(1)));
    let max_width = u64::from(clamp(width.unwrap_or(MAX_SIDE), picture.width));
    let max_height = u64::from(clamp(height.unwrap_or(MAX_SIDE), picture.height));
    // The side that has to shrink more decides; compared crosswise, to stay in whole numbers.
    if max_width * original_height <= max_height * original_width {
        Size { width: side(max_width), height: side(rounded(original_height * max_width, original_width)) }
    } else {
        Size { width: side(rounded(original_width * max_height, original_height)), height: side(max_height) }
    }
}

const fn rounded(dividend: u64, divisor: u64) -> u64 {
    (dividend + divisor / 2) / divisor
}

fn side(pixels: u64) -> u32 {
    u32::try_from(pixels).unwrap_or(MAX_SIDE).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(picture: (u32, u32), width: Option<u32>, height: Option<u32>) -> (u32, u32) {
        let size = target_size(Size { width: picture.0, height: picture.1 }, width, height);
        (size.width, size.height)
    }

    #[test]
    fn sides_are_clamped_to_16_and_512() {
        assert_eq!(asked_side(Some("64")), Some(64));
        assert_eq!(asked_side(Some("15")), Some(16));
        assert_eq!(asked_side(Some("-5")), Some(16));
        assert_eq!(asked_side(Some("513")), Some(512));
        assert_eq!(asked_side(Some("99999999999")), Some(512));
        assert_eq!(target((800, 800), Some(4), Some(4_000)), (16, 512));
    }

    #[test]
    fn side_that_is_no_number_is_not_asked_for() {
        for text in [None, Some(""), Some("abc"), Some("6.5"), Some("64px")] {
            assert_eq!(asked_side(text), None, "{text:?}");
        }
    }

    #[test]
    fn one_side_given_keeps_the_proportion() {
        assert_eq!(target((800, 400), Some(100), None), (100, 50));
        assert_eq!(target((800, 400), None, Some(100)), (200, 100));
        assert_eq!(target((300, 200), Some(100), None), (100, 67));
        // The other side has its limit too.
        assert_eq!(target((400, 4_000), Some(400), None), (51, 512));
        assert_eq!(target((10_000, 10), Some(16), None), (16, 1));
    }

    #[test]
    fn both_sides_given_are_taken() {
        assert_eq!(target((800, 400), Some(64), Some(64)), (64, 64));
    }

    #[test]
    fn nothing_is_enlarged() {
        assert_eq!(target((100, 50), Some(200), None), (100, 50));
        assert_eq!(target((100, 50), None, Some(200)), (100, 50));
        assert_eq!(target((100, 50), Some(200), Some(40)), (100, 40));
        assert_eq!(target((8, 8), Some(16), Some(16)), (8, 8));
    }

    #[test]
    fn nothing_given_leaves_the_picture_as_it_is() {
        assert_eq!(target((100, 50), None, None), (100, 50));
        assert_eq!(target((1_024, 512), None, None), (512, 256));
    }

    proptest! {
        #[test]
        fn target_is_within_picture_and_limits(w: u32, h: u32, width: Option<u32>, height: Option<u32>) {
            let (tw, th) = target((w, h), width, height);
            prop_assert!((1..=512).contains(&tw) && (1..=512).contains(&th));
            prop_assert!(tw <= w.max(1) && th <= h.max(1));
        }
    }
}
