//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect(&config).await;
        let messages = iadvize_functions::panel::messages::Messages { ctx, products: None };
        let handle = move |request| iadvize_functions::panel::messages::handle(messages.clone(), request);
        lambda::serve_http(handle, iadvize_functions::render).await
    }))
}
