//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        lambda::start_logs(&lambda::Config::from_process_env()?);
        lambda::serve_http(iadvize_functions::health::handle, iadvize_functions::render).await
    }))
}
