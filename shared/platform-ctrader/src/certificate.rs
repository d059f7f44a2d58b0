//! What somebody is given who has passed a quiz: a PDF, and a page on which anybody can see that it is genuine.

use serde::{Deserialize, Serialize};

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose, as cTrader told; `None` where it told no name. A personal datum.
    pub name: Option<String>,
    /// What was passed.
    pub title: String,
    /// With how many percent.
    pub score: u32,
    /// On which day: `2026-01-01`.
    pub day: String,
    /// In which language it was passed.
    pub lang: String,
}

impl Certificate {
    /// One page as a PDF. Its standard fonts know Western European letters only: a name or title with others is not mangled, the
    /// page refers to the address instead, where it stands in full.
    #[must_use]
    pub fn pdf(&self, code: &str, address: &str) -> Vec<u8> {
        let elsewhere = |text: &str, what: &str| match western(text) {
            Some(_) => text.to_owned(),
            None => format!("({what} is shown at the address below)"),
        };
        let name = self.name.as_deref().map_or_else(String::new, |name| elsewhere(name, "the name"));
        let mut page = Vec::new();
        let mut y = 470;
        let mut write = |font: &str, size: u32, text: &str| {
            for line in wrapped(text, 1_500 / usize::try_from(size).unwrap_or(1)) {
                page.extend_from_slice(format!("BT /{font} {size} Tf 80 {y} Td (").as_bytes());
                for byte in western(&line).unwrap_or_default() {
                    if matches!(byte, b'(' | b')' | b'\\') {
                        page.push(b'\\');
                    }
                    page.push(byte);
                }
                page.extend_from_slice(b") Tj ET\n");
                y -= i64::from(size) * 3 / 2;
            }
            y -= 14;
        };
        write("F2", 36, "Certificate");
        write("F1", 22, &name);
        write("F1", 14, "has passed");
        write("F2", 22, &elsewhere(&self.title, "the title"));
        write("F1", 14, &format!("with {} % on {}", self.score, self.day));
        write("F1", 11, &format!("Code {code}"));
        write("F1", 11, &format!("Check it at {address}"));
        page.splice(0..0, *b"0.12 0.44 0.92 RG 3 w 40 40 762 515 re S\n");
        document(&page)
    }

    /// A page without script that says what the certificate does.
    #[must_use]
    pub fn page(&self, code: &str) -> String {
        let [heading, genuine, name, title, score, day] = labels(&self.lang);
        let rows = [
            (name, self.name.clone().unwrap_or_else(|| "–".to_owned())),
            (title, self.title.clone()),
            (score, format!("{} %", self.score)),
            (day, self.day.clone()),
        ];
        let rows: String = rows.iter().map(|(label, text)| format!("<dt>{label}</dt><dd>{}</dd>", escaped(text))).collect();
        let (lang, code) = (escaped(&self.lang), escaped(code));
        let dir = if self.lang.starts_with("ar") { "rtl" } else { "ltr" };
        document_of(&lang, dir, heading, &format!("<p>{genuine}</p><dl>{rows}</dl><p>{code}</p>"))
    }

    /// The page of a code that is none.
    #[must_use]
    pub fn unknown_page() -> String {
        document_of("en", "ltr", "Certificate", "<p>There is no certificate with this code.</p>")
    }
}

fn document_of(lang: &str, dir: &str, heading: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{lang}\" dir=\"{dir}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{heading}</title></head>\
         <body><main><h1>{heading}</h1>{body}</main></body></html>"
    )
}

/// Heading, statement, name, title, score, day.
fn labels(lang: &str) -> [&'static str; 6] {
    match lang.get(..2).unwrap_or_default() {
        "ar" => ["شهادة", "هذه الشهادة صحيحة.", "الاسم", "الدورة", "النتيجة", "التاريخ"],
        "de" => ["Zertifikat", "Dieses Zertifikat ist echt.", "Name", "Kurs", "Ergebnis", "Datum"],
        "es" => ["Certificado", "Este certificado es auténtico.", "Nombre", "Curso", "Resultado", "Fecha"],
        "fr" => ["Certificat", "Ce certificat est authentique.", "Nom", "Cours", "Résultat", "Date"],
        "it" => ["Certificato", "Questo certificato è autentico.", "Nome", "Corso", "Risultato", "Data"],
        "ja" => ["修了証", "この修了証は本物です。", "氏名", "コース", "結果", "日付"],
        "pl" => ["Certyfikat", "Ten certyfikat jest autentyczny.", "Imię i nazwisko", "Kurs", "Wynik", "Data"],
        "pt" => ["Certificado", "Este certificado é autêntico.", "Nome", "Curso", "Resultado", "Data"],
        "ru" => ["Сертификат", "Этот сертификат подлинный.", "Имя", "Курс", "Результат", "Дата"],
        "vi" => ["Chứng chỉ", "Chứng chỉ này là thật.", "Họ tên", "Khóa học", "Kết quả", "Ngày"],
        "zh" => ["证书", "此证书真实有效。", "姓名", "课程", "成绩", "日期"],
        _ => ["Certificate", "This certificate is genuine.", "Name", "Course", "Result", "Date"],
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, char| {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
        out
    })
}

/// The text in the encoding of the standard fonts; `None` if a character is not in it.
fn western(text: &str) -> Option<Vec<u8>> {
    // Where WinAnsiEncoding is Latin-1.
    text.chars().map(|char| u8::try_from(u32::from(char)).ok().filter(|byte| matches!(byte, 0x20..=0x7e | 0xa0..=0xff))).collect()
}

/// The words of a text in lines of so many characters.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.truncate(4);
    lines
}

/// A document of one page, A4 across.
fn document(page: &[u8]) -> Vec<u8> {
    let font =
        |name: &str| format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>").into_bytes();
    let content = [format!("<< /Length {} >>\nstream\n", page.len()).as_bytes(), page, b"endstream"].concat();
    let objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] /Contents 6 0 R /Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>"
            .to_vec(),
        font("Helvetica"),
        font("Helvetica-Bold"),
        content,
    ];
    let mut out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", number + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    out.extend_from_slice(
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).as_bytes(),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Certificate {
        Certificate {
            name: Some(name.to_owned()),
            title: "Forex basics".to_owned(),
            score: 80,
            day: "2026-01-01".to_owned(),
            lang: "en".to_owned(),
        }
    }

    fn text_of(pdf: &[u8]) -> String {
        pdf.iter().map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn pdf_says_who_passed_what_and_where_that_can_be_seen() {
        let pdf = text_of(&certificate("Inés (V)").pdf("0123", "https://inapp.broker.example/inapp/verify/0123"));
        for text in [r"(Inés \(V\)) Tj", "(Forex basics) Tj", "(with 80 % on 2026-01-01) Tj", "inapp/verify/0123) Tj"] {
            assert!(pdf.contains(text), "{text}");
        }
        assert!(pdf.starts_with("%PDF-1.4\n") && pdf.ends_with("%%EOF\n"));
    }

    #[test]
    fn every_object_stands_where_the_table_says() {
        let pdf = text_of(&certificate("Inés").pdf("0123", "https://inapp.broker.example/inapp/verify/0123"));
        let pdf: Vec<char> = pdf.chars().collect();
        let text: String = pdf.iter().collect();
        let table: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(" 00000 n ")?.parse::<usize>().ok()).collect();
        assert_eq!(table.len(), 6);
        for (number, place) in table.into_iter().enumerate() {
            let found: String = pdf[place..place + 7].iter().collect();
            assert_eq!(found, format!("{} 0 obj", number + 1));
        }
    }

    #[test]
    fn name_that_the_fonts_lack_is_not_mangled() {
        let japanese = certificate("山田 花子");
        let pdf = text_of(&japanese.pdf("0123", "https://x.example"));
        assert!(pdf.contains(r"\(the name is shown at the address below\)") && !pdf.contains('?'));
        assert!(japanese.page("0123").contains("<dd>山田 花子</dd>"));
    }

    #[test]
    fn page_is_in_the_language_and_runs_nothing() {
        let mut certificate = certificate("<script>alert(1)</script>");
        certificate.lang = "de".to_owned();
        let page = certificate.page("0123");
        assert!(page.contains("Dieses Zertifikat ist echt.") && page.contains("&lt;script&gt;") && !page.contains("<script"));
    }
}
