//! Tax codes (mã số thuế) and their check digit (einvoice §5.4).

/// Weights of the first nine digits.
const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];

/// What is wrong with a tax code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxCodeProblem {
    #[error("it has neither 10 digits, 10-3, nor 12")]
    Form,
    #[error("the check digit does not fit")]
    CheckDigit,
}

impl TaxCodeProblem {
    pub const fn in_vietnamese(self) -> &'static str {
        match self {
            Self::Form => "phải có 10 chữ số, 10-3 hoặc 12 chữ số",
            Self::CheckDigit => "số kiểm tra không khớp",
        }
    }
}

/// Checks form and check digit. Twelve digits are a person's number, which has no check digit.
///
/// # Errors
/// [`TaxCodeProblem`].
pub fn check(code: &str) -> Result<(), TaxCodeProblem> {
    let (unit, branch) = match code.split_once('-') {
        Some((unit, branch)) => (unit, Some(branch)),
        None => (code, None),
    };
    if ![unit]
        .into_iter()
        .chain(branch)
        .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(TaxCodeProblem::Form);
    }
    match (unit.len(), branch) {
        (12, None) => Ok(()),
        (10, None) => check_digit(unit),
        (10, Some(branch)) if branch.len() == 3 && branch != "000" => check_digit(unit),
        _ => Err(TaxCodeProblem::Form),
    }
}

fn check_digit(unit: &str) -> Result<(), TaxCodeProblem> {
    let digits: Vec<u32> = unit
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .collect();
    let sum: u32 = WEIGHTS.iter().zip(&digits).map(|(w, d)| w * d).sum();
    let expected = 10 - sum % 11;
    let sequence_is_zero = digits[2..9].iter().all(|&digit| digit == 0);
    if expected == 10 || digits.last() != Some(&expected) || sequence_is_zero {
        return Err(TaxCodeProblem::CheckDigit);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_codes_pass_and_a_wrong_digit_does_not() {
        for code in [
            "0100109106",
            "0101243150",
            "0105987432",
            "0106869738",
            "0312270160",
            "0309478306",
            "0401486901",
            "0104831030",
            "0104831030-091",
            "0100233488",
            "001185000001",
        ] {
            assert_eq!(check(code), Ok(()), "{code}");
        }
        assert_eq!(check("0100233480"), Err(TaxCodeProblem::CheckDigit));
        for code in [
            "",
            "010010910",
            "0100109106-",
            "0100109106-000",
            "01001O9106",
            "0100109106-12",
        ] {
            assert_eq!(check(code), Err(TaxCodeProblem::Form), "{code}");
        }
    }
}
