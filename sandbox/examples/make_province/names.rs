//! Plausible invented names of people in the northern hills, with every mark of the alphabet.

use rand::Rng;
use rand::rngs::StdRng;

const FAMILY: [&str; 26] = [
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Dương", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô", "Lý",
    "Nông", "Triệu", "Ma", "Lường", "Hà", "Đào", "Đinh", "Tạ", "Phùng", "Lưu", "Chu", "Mạc", "Vi",
    "Quách",
];
const MIDDLE_F: [&str; 14] = [
    "Thị", "Ngọc", "Thu", "Khánh", "Bảo", "Minh", "Phương", "Thùy", "Hoài", "Thảo", "Kim", "Mỹ",
    "Diệu", "Quỳnh",
];
const MIDDLE_M: [&str; 14] = [
    "Văn", "Đức", "Minh", "Quang", "Hữu", "Gia", "Tuấn", "Anh", "Quốc", "Xuân", "Đình", "Thế",
    "Bảo", "Trọng",
];
const GIVEN_F: [&str; 40] = [
    "An",
    "Ánh",
    "Bích",
    "Châu",
    "Chi",
    "Diễm",
    "Duyên",
    "Đào",
    "Giang",
    "Hà",
    "Hằng",
    "Hạnh",
    "Hiền",
    "Hoa",
    "Huệ",
    "Hương",
    "Khuê",
    "Lan",
    "Lệ",
    "Linh",
    "Ly",
    "Mai",
    "My",
    "Nga",
    "Ngân",
    "Nhã",
    "Nhung",
    "Oanh",
    "Phượng",
    "Quyên",
    "Sương",
    "Thắm",
    "Thư",
    "Thủy",
    "Trang",
    "Trúc",
    "Tuyết",
    "Uyên",
    "Vân",
    "Yến",
];
const GIVEN_M: [&str; 40] = [
    "An", "Bách", "Bằng", "Bảo", "Chiến", "Cường", "Dũng", "Duy", "Đăng", "Đạt", "Đức", "Hải",
    "Hiếu", "Hoàng", "Hùng", "Huy", "Khải", "Khôi", "Kiên", "Lâm", "Lộc", "Long", "Mạnh", "Nam",
    "Nghĩa", "Nguyên", "Nhật", "Phong", "Phúc", "Quân", "Quý", "Sơn", "Tài", "Thắng", "Thịnh",
    "Tiến", "Trí", "Tùng", "Việt", "Vỹ",
];

pub fn family(chance: &mut StdRng) -> &'static str {
    FAMILY[chance.random_range(0..FAMILY.len())]
}

/// A child's or parent's full name under a family name.
pub fn person(family: &str, girl: bool, chance: &mut StdRng) -> String {
    let (middle, given) = if girl {
        (&MIDDLE_F, &GIVEN_F)
    } else {
        (&MIDDLE_M, &GIVEN_M)
    };
    let middle = middle[chance.random_range(0..middle.len())];
    let mut name = given[chance.random_range(0..given.len())];
    while name == middle {
        name = given[chance.random_range(0..given.len())];
    }
    format!("{family} {middle} {name}")
}

/// `057…`: no Vietnamese network uses this range, so nobody can be called by mistake.
pub fn phone(chance: &mut StdRng) -> String {
    format!("057{:07}", chance.random_range(0..10_000_000u32))
}
