//! The folder a new provider starts from: a signed bank webhook that already passes its vectors.

const RECIPE: &str = include_str!("bank_webhook/adapter.toml");
const VECTORS: &str = include_str!("bank_webhook/vectors.json");

/// File names and texts of a folder for a provider of this name; `None` when the name cannot be one
/// (a-z, 0-9 and `_`, at most 32).
pub fn files(name: &str) -> Option<[(&'static str, String); 3]> {
    let fits = (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    fits.then(|| {
        let recipe = RECIPE.replace("name = \"bank_webhook\"", &format!("name = \"{name}\""));
        let vectors = VECTORS.replace("\"bank_webhook\"", &format!("\"{name}\""));
        let readme = format!(
            "# {name}\n\n\
             Bắt đầu từ webhook báo có chung. Các bước:\n\n\
             1. `adapter.toml`: đặt `title`, tên trường trong `[message.webhook.read]`, cách ký trong\n   \
             `[signature.body]` và bằng chứng trong `[[message.webhook.proof]]`, câu trả lời trong `[acknowledge]`.\n\
             2. `vectors.json`: thay bằng thông điệp thật của bên cung cấp (khóa thử nghiệm), ghi nguồn.\n\
             3. `hocphi adapters --adapters THƯ_MỤC test {name}` cho đến khi đạt; `explain {name}` chỉ chỗ lệch đầu tiên.\n\
             4. Ghi ở đây: cài đặt phía nhà cung cấp, điều bất thường kèm nguồn và ngày đọc, cách lên thật.\n"
        );
        [
            ("adapter.toml", recipe),
            ("vectors.json", vectors),
            ("README.md", readme),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{self, Verdict};
    use crate::recipe::Recipe;

    #[test]
    fn a_new_folder_passes_its_own_vectors() {
        let [(_, recipe), (_, vectors), (_, readme)] = files("bank_new").expect("a name");
        let recipe = Recipe::compile("bank_new/adapter.toml", &recipe).expect("a recipe");
        let results = kit::run(&recipe, &vectors).expect("vectors");
        assert!(results.iter().all(|result| result.verdict == Verdict::Pass));
        assert!(results.len() >= 5 && readme.contains("test bank_new"));
        assert!(files("Bank").is_none() && files("../x").is_none() && files("").is_none());
    }
}
