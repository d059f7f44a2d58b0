//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect(&config).await;
        let api = iadvize_functions::panel::api::Api { ctx, timeline: None, products: None };
        lambda::serve_http(move |request| iadvize_functions::panel::api::handle(api.clone(), request), iadvize_functions::render)
            .await
    }))
}
