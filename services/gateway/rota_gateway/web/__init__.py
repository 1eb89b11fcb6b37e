"""The pages: server-rendered, working without JavaScript, live with it."""
