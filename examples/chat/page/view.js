// The room that is looked at: its log, who is there and who writes, and how far one has read.

import { element } from "./elements.js";
import { showPeople, showTyping } from "./people.js";

const AT_THE_END = 64; // pixels: whoever is this near to the end wants to stay there
const NEAR_THE_START = 300; // pixels

export class View {
  room = null;
  #scroller = element("scroller");
  #log = element("log");
  #places = new WeakMap(); // where one was in each room, from its end, in pixels
  #wasAtEnd = true;
  #endTop = 0; // where the scroller stood, in pixels, when it was last at its end
  #onRead;

  /** onRead() is called when one has seen all that there is. */
  constructor(onRead) {
    this.#onRead = onRead;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // The keyboard of a phone, or a field that grows, must not push the last message out of sight; nor an image that
    // takes its place.
    const watcher = new ResizeObserver(() => { if (this.#isFollowing) this.scrollToEnd(); });
    watcher.observe(this.#scroller);
    watcher.observe(this.#log);
    element("older").addEventListener("click", () => this.room.loadOlder());
    element("newer").addEventListener("click", () => this.scrollToEnd());
    document.addEventListener("visibilitychange", () => this.#scrolled());
  }

  get isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < AT_THE_END;
  }

  /** Whether one sees what comes now. */
  get isWatched() {
    return !document.hidden && this.#isFollowing;
  }

  scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#endTop = this.#scroller.scrollTop;
  }

  /** Look at a room; nobody wants all of it read out. */
  show(room, me) {
    if (this.room) {
      this.#places.set(this.room, this.isAtEnd ? 0 : this.#fromEnd());
      this.room.leaveFromSight();
    }
    this.room = room;
    room.isSeen = true;
    element("room").textContent = element("empty-room").textContent = room.name;
    this.quietly(() => this.#log.replaceChildren(room.log.list));
    this.refresh(me);
    this.#scroller.scrollTop = this.#scroller.scrollHeight - this.#scroller.clientHeight - (this.#places.get(room) ?? 0);
    this.#scrolled();
  }

  /** Do something to the log that is not to be read out, and keep one's place in it. */
  async quietly(action) {
    const [fromEnd, isFollowing] = [this.#fromEnd(), this.#isFollowing];
    this.#log.ariaBusy = "true";
    action();
    this.#scroller.scrollTop = this.#scroller.scrollHeight - this.#scroller.clientHeight - (isFollowing ? 0 : fromEnd);
    await new Promise(requestAnimationFrame);
    this.#log.ariaBusy = "false";
  }

  /** Show how it stands with the room now. */
  refresh(me) {
    const { room } = this;
    element("empty").hidden = !room.isEntered || !room.log.isEmpty;
    element("older").hidden = !room.log.more;
    showPeople(room.people, me);
    showTyping([...room.typing.keys()]);
    element("newer").hidden = room.unread === 0 || this.isAtEnd;
    element("newer").textContent = room.unread === 1 ? "1 new message" : `${room.unread} new messages`;
    if (this.#isFollowing) {
      room.log.prune();
      this.scrollToEnd();
    }
  }

  // Whether one wants to stay at the end: one was there, and has not scrolled up since. That is seen before the event
  // which tells of it; else what comes in between would take one back.
  get #isFollowing() {
    return this.isAtEnd || (this.#wasAtEnd && this.#scroller.scrollTop > this.#endTop - AT_THE_END);
  }

  #fromEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #scrolled() {
    this.#wasAtEnd = this.isAtEnd;
    if (this.#wasAtEnd) this.#endTop = this.#scroller.scrollTop;
    if (this.isWatched) this.#onRead();
    if (this.#scroller.scrollTop < NEAR_THE_START && this.#scroller.scrollHeight > this.#scroller.clientHeight) {
      this.room?.loadOlder();
    }
  }
}
