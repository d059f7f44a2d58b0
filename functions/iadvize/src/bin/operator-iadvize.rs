//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect_operator(&config);
        lambda::serve_invoke(move |event| iadvize_functions::operator::handle(ctx.clone(), event)).await
    }))
}
