/// Makes one `#[test]` a router out of each function `fn(Software) -> Result<()>` named: `bird::name`, `frr::name`,
/// `gobgp::name`.
#[macro_export]
macro_rules! with_every_router {
    ($($test:ident),+ $(,)?) => {
        $crate::with_every_router!(@module bird Bird $($test)+);
        $crate::with_every_router!(@module frr Frr $($test)+);
        $crate::with_every_router!(@module gobgp GoBgp $($test)+);
    };
    (@module $module:ident $software:ident $($test:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $test() -> $crate::Result<()> {
                    super::$test($crate::Software::$software)
                }
            )+
        }
    };
}
