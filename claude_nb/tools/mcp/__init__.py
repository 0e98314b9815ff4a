"""MCP servers, whose tools Claude may call: started or reached, listed, approved, called."""
