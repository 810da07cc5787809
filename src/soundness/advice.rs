//! What findings mean, and what to do about them, for whoever runs the check.

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// In Vietnamese.
    pub meaning: &'static str,
    pub what_to_do: &'static str,
}

const RESTORE: &str = "so với bản sao lưu gần nhất còn đúng, giữ nguyên cơ sở dữ liệu làm chứng cứ, tìm ai có quyền ghi";
const REDERIVE: &str = "nhật ký là gốc: so chứng từ của dòng này với bút toán của nó, sửa bằng bút toán, không sửa tay";
const INVOICE: &str =
    "xem hóa đơn này trên trang kế toán và việc đang chờ của nó; không xóa số đã cấp";

/// What a code means. Codes of later versions have a general answer.
pub fn advice(code: &str) -> Advice {
    let (meaning, what_to_do) = match code {
        "digest_differs" | "entry_unreadable" | "lines_unreadable" | "amount_differs"
        | "unbalanced" => ("bút toán bị sửa sau khi ghi", RESTORE),
        "entry_missing" => ("bút toán bị xóa", RESTORE),
        "chain_broken" => ("bút toán của một lịch sử khác chen vào chuỗi", RESTORE),
        "head_differs" | "head_forged" | "head_missing" | "head_behind_checkpoint" => {
            ("cuối chuỗi bút toán bị cắt hoặc bị giả", RESTORE)
        }
        "unkeyed_after_key" => ("bút toán không do hocphi ghi", RESTORE),
        "key_unknown" => (
            "dấu được làm bằng khóa chủ khác",
            "chạy lại với --former-master-key-file là khóa chủ trước đây; nếu chưa từng đổi khóa thì sổ bị giả",
        ),
        "checkpoint_forged" => (
            "mốc kiểm tra bị sửa",
            "chạy lại với --full; nếu đúng, xóa dòng của ledger_checkpoint",
        ),
        "guard_missing" => (
            "chốt cấm sửa nhật ký đã bị gỡ",
            "tìm ai đã gỡ, chạy --full, rồi tạo lại chốt như trong tệp migrations",
        ),
        "booked_in_closed_period" => ("có bút toán trong kỳ đã khóa sổ", RESTORE),
        "period_forged" | "period_differs" => ("lịch sử khóa sổ bị sửa", RESTORE),
        "balance_differs" => ("số dư tài khoản khác tổng nhật ký", REDERIVE),
        "journal_differs" | "movement_differs" => {
            ("khoản tiền và bút toán của nó không khớp", REDERIVE)
        }
        "allocation_differs" | "line_paid_differs" | "bill_paid_differs" | "bill_state_differs"
        | "credit_differs" | "suspense_differs" | "moved_on_differs" | "taken_back_differs"
        | "settlement_differs" | "refund_differs" | "attempt_differs" => {
            ("số đã lưu khác tổng các phần của nó", REDERIVE)
        }
        "money_lost" => ("tiền vào không bằng tiền đã phân bổ", REDERIVE),
        "notice_without_payment" | "step_without_evidence" => {
            ("khoản thu thiếu chứng từ của nhà cung cấp", REDERIVE)
        }
        "round_differs" | "bill_without_lines" => ("tổng của đợt thu khác các phiếu thu", REDERIVE),
        "number_gap" => ("số hóa đơn không liên tục", INVOICE),
        "invoice_total_differs" | "invoiced_without_money" => ("hóa đơn khác tiền đã thu", INVOICE),
        "invoice_state_differs" => ("trạng thái hóa đơn thiếu bằng chứng", INVOICE),
        "line_without_invoice" => (
            "tiền cần hóa đơn mà không có, cũng không có việc chờ",
            INVOICE,
        ),
        "correction_missing" => (
            "tiền đã rời khoản thu mà hóa đơn chưa được điều chỉnh",
            INVOICE,
        ),
        "correction_differs" => ("chuỗi điều chỉnh, thay thế của hóa đơn bị sai", INVOICE),
        "archive_file_changed" => (
            "tệp đã ký trong kho bị sửa sau khi lưu",
            "khôi phục từ bản sao lưu và xem ai đã ghi vào cơ sở dữ liệu",
        ),
        "archive_seal_broken" => (
            "dòng của kho không do khóa chủ của hệ thống niêm phong",
            "chạy lại với --former-master-key-file nếu đã đổi khóa chủ, rồi khôi phục từ bản sao lưu",
        ),
        "archive_version_missing" => (
            "kho thiếu một phiên bản của chứng từ",
            "khôi phục từ bản sao lưu",
        ),
        "archive_differs" => (
            "tệp đang dùng khác mọi phiên bản trong kho; bản trong kho là bản đã ký",
            "so hai bản, khôi phục bản đang dùng từ kho, tìm ai có quyền ghi",
        ),
        "archive_missing" => ("tệp đã ký chưa vào kho", "chạy hocphi invoice archive fill"),
        "archive_guard_missing" => (
            "chốt cấm sửa kho lưu trữ đã bị gỡ",
            "tìm ai đã gỡ, chạy --full, rồi tạo lại chốt như trong tệp migrations",
        ),
        "job_missing" => ("hóa đơn dở dang mà không có việc nào tiếp tục", INVOICE),
        "job_without_subject" => (
            "việc chờ về một thứ không có",
            "xóa việc này sau khi biết vì sao nó có",
        ),
        _ => ("số liệu không khớp", REDERIVE),
    };
    Advice {
        meaning,
        what_to_do,
    }
}
