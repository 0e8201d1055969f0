"""In what order: LangGraph state machines. They wire; they hold no logic."""
