"""A chat with rooms, history and a page: ``python -m examples.chat``, then open http://localhost:8181/.

It is Perfect's chat demo, grown up. Perfect's own page still works against it, beside the new one, and so does any
program that speaks the plain language (`examples.bot` does). Read it in this order:

- Who talks. `user`; `names`: what a name may be, so that nobody is taken for somebody else (`scripts`: the letters'
  scripts); `rules`: what a room, a message and any other string may be.
- What is said. `messages`: a message, and what a room asks of its log.
- Where. `chatroom`: a room, the seats in it, and what is told from them. `people`: who is there; `audience`: who hears
  it in one language; `directory`: all rooms; `removals`: who was sent away for a while.
- How. `languages`: Perfect's JSON and the plain one; `page_language`: that of this page. `handlers`: the sessions that
  speak the former, each a class; `page_handler`: the one that speaks the latter, in many rooms over one socket;
  `rate`: how fast one socket may talk.
- In one process, `embedded`: `history`, the messages in SQLite, which works in a thread (`database`).
- In several, `shared`: rooms over Redis, and their log (`room_log`). ``--workers 2 --redis redis://127.0.0.1:6379``
- On the web. `web`: the routes and their headers; `entrance`: the WebSocket; `hosts`: by which names it may be called;
  `images`: those that people send (`image_types`). The page itself is in the folder ``page``.
"""
