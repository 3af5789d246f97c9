"""When and where jobs run: the engine, its launchers and their devices, time limits, forecasts, progress on the terminal."""
