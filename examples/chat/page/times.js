// How a time is told: in the reader's own language and zone.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

const DAY = 24 * 60 * 60 * 1000; // milliseconds

function midnight(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}

export function isSameDay(a, b) {
  return midnight(a) === midnight(b);
}

/** The name of a day: "Today", "Yesterday", or its date. */
export function dayName(time) {
  const daysAgo = Math.round((midnight(Date.now()) - midnight(time)) / DAY);
  if (daysAgo === 0) return "Today";
  if (daysAgo === 1) return "Yesterday";
  return (daysAgo < 180 ? weekday : withYear).format(time);
}

/** Make a <time> element tell a time. */
export function tell(element, time) {
  const date = new Date(time);
  element.dateTime = date.toISOString();
  element.textContent = clock.format(date);
  element.title = whole.format(date);
}
