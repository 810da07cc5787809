//! The two faces of a rendition: read once in a process, measured and subset for each document.

use std::sync::LazyLock;

use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use super::units::Milli;

/// Regular or bold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Regular,
    Bold,
}

impl Weight {
    pub const ALL: [Self; 2] = [Self::Regular, Self::Bold];

    /// The resource name in content streams.
    pub const fn resource(self) -> &'static [u8] {
        match self {
            Self::Regular => b"R",
            Self::Bold => b"B",
        }
    }

    pub fn font(self) -> &'static Font {
        match self {
            Self::Regular => &REGULAR,
            Self::Bold => &BOLD,
        }
    }
}

static REGULAR: LazyLock<Font> = LazyLock::new(|| {
    Font::read(
        include_bytes!("fonts/NotoSans-Regular.ttf"),
        "NotoSans-Regular",
    )
});
static BOLD: LazyLock<Font> =
    LazyLock::new(|| Font::read(include_bytes!("fonts/NotoSans-Bold.ttf"), "NotoSans-Bold"));

/// Characters up to here are found by index; nothing beyond is in the fonts but a few signs.
const INDEXED: usize = 0x2300;
/// What the fonts count in an em; measuring relies on it.
const UNITS_PER_EM: u16 = 1_000;

/// A font with what is asked for all the time.
pub struct Font {
    data: &'static [u8],
    pub name: &'static str,
    /// Glyph by character; 0 is the box for what the font lacks.
    glyphs: Vec<u16>,
    beyond: Vec<(char, u16)>,
    /// Advance by glyph, in thousandths of an em.
    advances: Vec<u16>,
    pub ascent: i16,
    pub descent: i16,
    pub cap_height: i16,
    /// Left, bottom, right, top.
    pub bounds: [i16; 4],
}

impl Font {
    fn read(data: &'static [u8], name: &'static str) -> Self {
        let face = Face::parse(data, 0).expect("the shipped font is a font");
        assert_eq!(
            face.units_per_em(),
            UNITS_PER_EM,
            "the shipped font counts in thousandths"
        );
        let glyph = |letter| face.glyph_index(letter).map_or(0, |found| found.0);
        let indexed = u32::try_from(INDEXED).unwrap_or(0);
        let bounds = face.global_bounding_box();
        Self {
            data,
            name,
            glyphs: (0..indexed)
                .map(|code| char::from_u32(code).map_or(0, glyph))
                .collect(),
            beyond: ['\u{25cf}', '\u{fffd}']
                .map(|sign| (sign, glyph(sign)))
                .to_vec(),
            advances: (0..face.number_of_glyphs())
                .map(|id| face.glyph_hor_advance(GlyphId(id)).unwrap_or(0))
                .collect(),
            ascent: face.ascender(),
            descent: face.descender(),
            cap_height: face.capital_height().unwrap_or(face.ascender()),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
        }
    }

    fn glyph(&self, letter: char) -> u16 {
        match self.glyphs.get(letter as usize) {
            Some(found) => *found,
            None => self
                .beyond
                .iter()
                .find(|(sign, _)| *sign == letter)
                .map_or(0, |(_, glyph)| *glyph),
        }
    }

    /// Advance of a character in thousandths of an em.
    pub fn advance(&self, letter: char) -> u16 {
        self.advances
            .get(usize::from(self.glyph(letter)))
            .copied()
            .unwrap_or(0)
    }

    /// Width of a text at a size.
    pub fn width(&self, text: &str, size: Milli) -> Milli {
        let units: i32 = text
            .chars()
            .map(|letter| i32::from(self.advance(letter)))
            .sum();
        Milli(units.saturating_mul(size.0 / 10) / 100)
    }
}

/// The characters of one document in one face. A code stands for a character, not for a glyph: letters
/// that look alike (Đ and Ð) share a glyph and must still be copied out as what they are.
pub struct Used {
    pub font: &'static Font,
    /// Code by character; 0 is none yet.
    codes: Vec<u16>,
    beyond: Vec<(char, u16)>,
    /// Characters by code, from code 1 on.
    pub letters: Vec<char>,
}

impl Used {
    pub fn new(font: &'static Font) -> Self {
        Self {
            font,
            codes: vec![0; INDEXED],
            beyond: Vec::new(),
            letters: Vec::new(),
        }
    }

    /// The code of a character, new or known.
    pub fn code(&mut self, letter: char) -> u16 {
        let known = match self.codes.get(letter as usize) {
            Some(code) => *code,
            None => self
                .beyond
                .iter()
                .find(|(sign, _)| *sign == letter)
                .map_or(0, |(_, code)| *code),
        };
        if known != 0 {
            return known;
        }
        // A document of more kinds of characters than that shows the surplus as boxes.
        let Ok(code) = u16::try_from(self.letters.len() + 1) else {
            return 0;
        };
        self.letters.push(letter);
        match self.codes.get_mut(letter as usize) {
            Some(place) => *place = code,
            None => self.beyond.push((letter, code)),
        }
        code
    }

    /// The font file with the used glyphs alone, and the glyph of every code, big-endian.
    pub fn subset(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut remapper = GlyphRemapper::new();
        let mut map = vec![0; 2 * (self.letters.len() + 1)];
        for (place, letter) in self.letters.iter().enumerate() {
            let glyph = remapper.remap(self.font.glyph(*letter));
            map[2 * (place + 1)..2 * (place + 2)].copy_from_slice(&glyph.to_be_bytes());
        }
        let file = subsetter::subset(self.font.data, 0, &remapper).ok()?;
        Some((file, map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vietnamese_letter_has_a_glyph_in_both_faces() {
        let marked = "ăâđêôơưàằầèềìòồờùừỳảẳẩẻểỉỏổởủửỷãẵẫẽễĩõỗỡũữỹáắấéếíóốớúứýạặậẹệịọộợụựỵ";
        for weight in Weight::ALL {
            let font = weight.font();
            for letter in marked.chars().chain(marked.to_uppercase().chars()) {
                assert_ne!(font.glyph(letter), 0, "{letter}");
            }
            for sign in "₫×–—…“”‘’•·©".chars() {
                assert_ne!(font.glyph(sign), 0, "{sign}");
            }
        }
    }

    #[test]
    fn letters_of_one_shape_keep_codes_of_their_own() {
        let mut used = Used::new(Weight::Regular.font());
        let codes = ['Đ', 'Ð', '学', 'Đ'].map(|letter| used.code(letter));
        assert_eq!(codes, [1, 2, 3, 1]);
        assert_eq!(used.letters, ['Đ', 'Ð', '学']);
        let (file, map) = used.subset().unwrap();
        assert!(file.len() < 3_000, "{}", file.len());
        // What the font lacks is shown as its box.
        assert_eq!(&map[6..8], [0, 0]);
    }
}
