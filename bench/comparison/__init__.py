"""The route reflector beside other daemons: runs the benchmark, keeps what it measured, draws and judges it."""
