//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let screens = ctrader_functions::screen::connect(&config).await;
        let render = ctrader_functions::render;
        lambda::serve_http(move |request| ctrader_functions::screen::handle(screens.clone(), request), render).await
    }))
}
