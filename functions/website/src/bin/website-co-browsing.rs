//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = website_functions::connect(&config).await;
        let render = website_functions::render;
        lambda::serve_http(move |request| website_functions::co_browsing::handle(ctx.clone(), request), render).await
    }))
}
