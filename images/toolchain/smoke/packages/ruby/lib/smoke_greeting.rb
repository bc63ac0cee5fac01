SMOKE_GREETING = "hello from a gem"
