//! The deployed function: wiring only.

use iadvize_functions::bot::availability::handle;

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect_bot(&config).await;
        lambda::serve_http(move |request| handle(ctx.clone(), request), iadvize_functions::render).await
    }))
}
