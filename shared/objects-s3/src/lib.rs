//! Addresses and forms by which browsers read and write single objects of a bucket in S3, for a few minutes each.
//!
//! Everything is signed here with the function's own credentials (Signature Version 4), so there is no call and no SDK client:
//! what is signed allows no more than the function's role does. To do something else with objects, sign its address.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::EpochMillis;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use url::Url;
use wire::signature::{hmac_sha256, sha256_hex};

/// Everything but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for a path.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Where a bucket is, and who signs.
#[derive(Clone)]
pub struct BucketSettings {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Another place than AWS's own, e.g. an emulator's, where the bucket is the first part of the path.
    pub endpoint: Option<String>,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

/// A bucket.
#[derive(Clone)]
pub struct Bucket(BucketSettings);

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// A form that a browser posts with a file as its last part, named `file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostForm {
    /// Where to.
    pub url: String,
    /// What goes before the file.
    pub fields: BTreeMap<&'static str, String>,
}

/// When something is signed.
struct Stamp {
    /// `20260101T000000Z`
    time: String,
    /// `20260101`
    day: String,
}

impl Stamp {
    fn of(now: EpochMillis) -> Self {
        // 2026-01-01T00:00:00.000Z
        let text: String = now.to_utc_text().chars().take(19).filter(|char| !matches!(char, '-' | ':')).collect();
        Self { day: text.chars().take(8).collect(), time: format!("{text}Z") }
    }
}

impl Bucket {
    /// A bucket of these settings.
    #[must_use]
    pub const fn new(settings: BucketSettings) -> Self {
        Self(settings)
    }

    /// A form that stores one object under this very key, of this media type and of exactly `size` bytes, until it is `valid`
    /// no more. The store refuses anything else.
    #[must_use]
    pub fn form(&self, key: &str, media_type: &str, size: u64, now: EpochMillis, valid: Duration) -> PostForm {
        let stamp = Stamp::of(now);
        let credential = format!("{}/{}", self.0.access_key, self.scope(&stamp));
        let mut conditions = vec![
            json!({"bucket": self.0.name}),
            json!(["eq", "$key", key]),
            json!(["eq", "$Content-Type", media_type]),
            json!(["content-length-range", size, size]),
            json!({"success_action_status": "204"}),
            json!({"x-amz-algorithm": "AWS4-HMAC-SHA256"}),
            json!({"x-amz-credential": credential}),
            json!({"x-amz-date": stamp.time}),
        ];
        if let Some(token) = &self.0.session_token {
            conditions.push(json!({"x-amz-security-token": token}));
        }
        let policy = json!({"expiration": now.plus(valid).to_utc_text(), "conditions": conditions});
        let policy = STANDARD.encode(policy.to_string());
        let mut fields = BTreeMap::from([
            ("key", key.to_owned()),
            ("Content-Type", media_type.to_owned()),
            ("success_action_status", "204".to_owned()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", credential),
            ("x-amz-signature", self.signed(&stamp, &policy)),
            ("x-amz-date", stamp.time),
            ("policy", policy),
        ]);
        if let Some(token) = &self.0.session_token {
            fields.insert("x-amz-security-token", token.clone());
        }
        PostForm { url: format!("{}/", self.base()), fields }
    }

    /// An address from which an object can be read, until it is `valid` no more. `query` may say which part of it is meant
    /// (`tagging`), and how its answer describes it (`response-content-disposition`).
    #[must_use]
    pub fn address(&self, key: &str, query: &[(&str, &str)], now: EpochMillis, valid: Duration) -> Option<Url> {
        let base = Url::parse(&format!("{}/{}", self.base(), utf8_percent_encode(key, PATH))).ok()?;
        let stamp = Stamp::of(now);
        let credential = format!("{}/{}", self.0.access_key, self.scope(&stamp));
        let seconds = valid.as_secs().to_string();
        let mut pairs = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &stamp.time),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", "host"),
        ];
        pairs.extend(self.0.session_token.as_deref().map(|token| ("X-Amz-Security-Token", token)));
        pairs.extend(query);
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let mut pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort();
        let query = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let host = match base.port() {
            Some(port) => format!("{}:{port}", base.host_str()?),
            None => base.host_str()?.to_owned(),
        };
        let asked = format!("GET\n{}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", base.path());
        let scope = self.scope(&stamp);
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", stamp.time, sha256_hex(asked.as_bytes()));
        let signature = self.signed(&stamp, &text);
        let mut address = base;
        address.set_query(Some(&format!("{query}&X-Amz-Signature={signature}")));
        Some(address)
    }

    /// The origin to which browsers post files; `None` without a bucket.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.base()).ok().filter(|_| !self.0.name.is_empty())?;
        Some(url.origin().ascii_serialization())
    }

    fn base(&self) -> String {
        let BucketSettings { name, region, endpoint, .. } = &self.0;
        match endpoint {
            Some(endpoint) => format!("{}/{name}", endpoint.trim_end_matches('/')),
            None if region.starts_with("cn-") => format!("https://{name}.s3.{region}.amazonaws.com.cn"),
            None => format!("https://{name}.s3.{region}.amazonaws.com"),
        }
    }

    fn scope(&self, stamp: &Stamp) -> String {
        format!("{}/{}/s3/aws4_request", stamp.day, self.0.region)
    }

    fn signed(&self, stamp: &Stamp, text: &str) -> String {
        let key = hmac_sha256(format!("AWS4{}", self.0.secret_key).as_bytes(), stamp.day.as_bytes());
        let key =
            [self.0.region.as_str(), "s3", "aws4_request", text].iter().fold(key, |key, part| hmac_sha256(&key, part.as_bytes()));
        hex::encode(key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn example(name: &str) -> Bucket {
        Bucket::new(BucketSettings {
            name: name.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        })
    }

    fn at(text: &str) -> EpochMillis {
        EpochMillis::from_text(text).unwrap()
    }

    /// Amazon S3 API Reference, "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)".
    #[test]
    fn policy_of_the_published_example_has_the_published_signature() {
        let policy = concat!(
            "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVi",
            "dWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3Vj",
            "Y2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwN",
            "CiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwN",
            "CiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0s",
            "DQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAg",
            "IHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9",
        );
        let stamp = Stamp::of(at("2015-12-29T00:00:00Z"));
        assert_eq!(
            example("sigv4examplebucket").signed(&stamp, policy),
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
        );
    }

    /// The canonical request of "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", but for the host, which
    /// has the region in it here: the signature of that was made with botocore 1.43.
    #[test]
    fn address_is_the_one_that_other_tools_sign() {
        let bucket = example("examplebucket");
        let address = bucket.address("test.txt", &[], at("2013-05-24T00:00:00Z"), Duration::from_secs(86_400)).unwrap();
        let expected = concat!(
            "https://examplebucket.s3.us-east-1.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z",
            "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=762f4fcbacec730d460b0e337f554e569e4fe98643baefad7af1276fe3084e7f",
        );
        assert_eq!(address.as_str(), expected);
    }

    #[test]
    fn address_with_a_session_and_headers_of_the_answer() {
        let mut settings = example("examplebucket").0;
        settings.session_token = Some("to/ken+=".to_owned());
        settings.endpoint = Some("http://127.0.0.1:4566".to_owned());
        let query =
            [("response-content-disposition", "attachment; filename=\"a b.pdf\""), ("response-content-type", "application/pdf")];
        let now = at("2026-01-01T00:00:00Z");
        let address = Bucket::new(settings).address("uploads/žluť x", &query, now, Duration::from_secs(60)).unwrap();
        let expected = concat!(
            "http://127.0.0.1:4566/examplebucket/uploads/%C5%BElu%C5%A5%20x?X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z",
            "&X-Amz-Expires=60&X-Amz-Security-Token=to%2Fken%2B%3D&X-Amz-SignedHeaders=host",
            "&response-content-disposition=attachment%3B%20filename%3D%22a%20b.pdf%22&response-content-type=application%2Fpdf",
            "&X-Amz-Signature=29ea12bfdd1ae3fb98e929869434672188e006fe6b1681dcb91f8050b417f406",
        );
        assert_eq!(address.as_str(), expected);
    }

    #[test]
    fn form_allows_one_object_of_one_size_for_a_while() {
        let mut settings = example("files").0;
        settings.session_token = Some("session".to_owned());
        let form = Bucket::new(settings).form(
            "uploads/1",
            "application/octet-stream",
            1234,
            at("2026-01-01T00:00:00Z"),
            Duration::from_secs(300),
        );
        assert_eq!(form.url, "https://files.s3.us-east-1.amazonaws.com/");
        let policy: Value = serde_json::from_slice(&STANDARD.decode(&form.fields["policy"]).unwrap()).unwrap();
        assert_eq!(
            policy,
            json!({"expiration": "2026-01-01T00:05:00.000Z", "conditions": [
                {"bucket": "files"},
                ["eq", "$key", "uploads/1"],
                ["eq", "$Content-Type", "application/octet-stream"],
                ["content-length-range", 1234, 1234],
                {"success_action_status": "204"},
                {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request"},
                {"x-amz-date": "20260101T000000Z"},
                {"x-amz-security-token": "session"},
            ]})
        );
        let names: Vec<_> = form.fields.keys().copied().collect();
        assert_eq!(
            names,
            [
                "Content-Type",
                "key",
                "policy",
                "success_action_status",
                "x-amz-algorithm",
                "x-amz-credential",
                "x-amz-date",
                "x-amz-security-token",
                "x-amz-signature"
            ]
        );
    }

    #[test]
    fn bucket_of_another_partition_has_its_own_domain_and_no_secret_is_shown() {
        let mut settings = example("files").0;
        settings.region = "cn-north-1".to_owned();
        let bucket = Bucket::new(settings);
        assert_eq!(bucket.base(), "https://files.s3.cn-north-1.amazonaws.com.cn");
        assert_eq!(format!("{bucket:?}"), r#"Bucket { name: "files", .. }"#);
    }
}
