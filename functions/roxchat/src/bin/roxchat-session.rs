//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = roxchat_functions::connect_session(&config).await;
        let render = roxchat_functions::render;
        lambda::serve_http(move |request| roxchat_functions::session::handle(ctx.clone(), request), render).await
    }))
}
