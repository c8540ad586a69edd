// Zoom over the drawn day chart. The drawing stays what is printed and what
// works without scripts; this lays uPlot over it on request.
import uPlot from "uplot";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// values undoes the differences; a gap stays a gap.
function values(series) {
  const unit = 10 ** series.decimals;
  let sum = 0;
  return series.d.map((d) => (d === null ? null : (sum += d) / unit));
}

function draw(box, data) {
  const n = Math.max(0, ...data.series.map((s) => s.d.length));
  const times = Array.from({ length: n }, (_, i) => data.from + i * data.step + data.step / 2);
  const lines = data.series.map(values);
  const limits = data.series.filter((s) => s.limit !== null && s.limit !== undefined);
  const axis = { stroke: token("--ink2"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line") }, font: "12px system-ui" };
  const colours = ["--accent", "--suspect", "--normal", "--warn", "--maint", "--offline"];
  return new uPlot({
    width: box.clientWidth - 28, height: box.clientWidth < 500 ? 220 : 300,
    // The pages have one clock, UTC+8, whatever the reader's computer is set to.
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "Asia/Shanghai"),
    scales: { y: { range: (u, lo, hi) => [Math.min(0, lo ?? 0), Math.max(hi ?? 1, ...limits.map((s) => s.limit)) * 1.1] } },
    axes: [{ ...axis, values: (u, s) => s.map((t) => uPlot.fmtDate("{HH}:{mm}")(uPlot.tzDate(new Date(t * 1000), "Asia/Shanghai"))) }, axis],
    series: [
      { value: (u, t) => t === null ? "—" : uPlot.fmtDate("{YYYY}-{MM}-{DD} {HH}:{mm}")(uPlot.tzDate(new Date(t * 1000), "Asia/Shanghai")), label: "UTC+8" },
      ...data.series.map((s, i) => ({ label: s.label + " " + s.unit, stroke: token(colours[i % colours.length]), width: 1.4, points: { show: false }, spanGaps: false,
        value: (u, v) => v === null ? "—" : v.toFixed(s.decimals) })),
      ...limits.map((s) => ({ label: "≤ " + s.limit, value: () => "", stroke: token("--exceed"), dash: [6, 4], width: 1.4, points: { show: false } })),
    ],
  }, [times, ...lines, ...limits.map((s) => times.map(() => s.limit))], box);
}

function ready(root) {
  for (const box of root.querySelectorAll("[data-zoom]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link zoom";
    button.textContent = box.dataset.zoomLabel;
    button.setAttribute("aria-pressed", "false");
    let plot = null;
    button.addEventListener("click", async () => {
      if (plot) {
        plot.destroy();
        plot = null;
        box.classList.remove("zoomed");
        box.removeAttribute("aria-busy");
      } else {
        button.disabled = true;
        try {
          const answer = await fetch(box.dataset.zoom, { credentials: "same-origin" });
          if (!answer.ok) throw new Error(answer.status);
          const data = await answer.json();
          box.classList.add("zoomed");
          box.setAttribute("aria-busy", "true"); // a live update must not take the chart away under the reader
          plot = draw(box, data);
        } catch {
          location.href = box.dataset.zoom;
        } finally {
          button.disabled = false;
        }
      }
      button.setAttribute("aria-pressed", String(!!plot));
      button.textContent = plot ? box.dataset.unzoomLabel : box.dataset.zoomLabel;
    });
    (box.closest("section")?.querySelector("header .right") ?? box).prepend(button);
  }
}
ready(document);
document.addEventListener("plateau:fresh", (e) => ready(e.target));
