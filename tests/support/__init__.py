"""What tests share: tiny runs, made-up sweeps, small data files."""
