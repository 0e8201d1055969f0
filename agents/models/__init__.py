"""Chat models: embedded, any LangChain provider, and a scripted one for tests."""
