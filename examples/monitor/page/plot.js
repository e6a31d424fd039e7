// A small plot: a line of the last values, the newest at its right.

const [WIDTH, HEIGHT] = [240, 48]; // in the units of the drawing

/** Draw values, of which there is room for so many; it begins at 0. */
export function draw(svg, values, room) {
  const most = Math.max(...values, 0) || 1;
  const x = (at) => (WIDTH * (room - values.length + at)) / Math.max(room - 1, 1);
  const y = (value) => HEIGHT - (HEIGHT - 2) * (value / most) - 1;
  const points = values.map((value, at) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  const line = points.length > 0 ? `M${points.join("L")}` : "";
  svg.querySelector(".line").setAttribute("d", line);
  svg.querySelector(".area").setAttribute("d", line && `${line}V${HEIGHT}H${x(0).toFixed(1)}Z`);
}
