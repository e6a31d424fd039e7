"""A chat with rooms, history and a page: ``python -m examples.chat``, then open http://localhost:8181/.

It is Perfect's chat demo, grown up. Perfect's own page still works against it, beside the new one. The pieces:

- `user`: who talks; `names`: what a name may be, so that nobody is taken for somebody else (`scripts`: the letters'
  scripts); `rules`: what a room and a message may be.
- `chatroom`: a room, who is in it, and what they tell each other.
- `languages`: the two JSON languages that a room is told in: Perfect's, and this page's.
- `handlers`: the sessions, one class for each language; `rate`: how fast one socket may talk.
- `history`: the messages, kept in SQLite.
- `web`: the routes, the page's files and their headers; `hosts`: by which names it may be called.
"""
