// Draws every <canvas data-chart="…"> with Chart.js, in the page's own colours, and again when light turns to dark.
// A chart is {kind, …}: see `ui/charts.py`, which makes them.
const drawn = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
const SERIES = ["first", "second", "third", "fourth"];

function axis(title, more = {}) {
  return {
    title: { display: Boolean(title), text: title, color: colour("soft") },
    ticks: { color: colour("soft"), maxRotation: 0, autoSkipPadding: 12 },
    grid: { color: colour("line") },
    border: { color: colour("strong-line") },
    ...more,
  };
}

function bars(chart) {
  return {
    type: "bar",
    data: {
      labels: chart.labels,
      datasets: chart.series.map((series, index) => ({
        label: series.name,
        data: series.values,
        backgroundColor: colour(SERIES[index % SERIES.length]),
        borderRadius: 3,
        categoryPercentage: chart.touching ? 1 : 0.8,
        barPercentage: chart.touching ? 0.96 : 0.9,
      })),
    },
    options: {
      indexAxis: chart.lying ? "y" : "x",
      scales: { x: axis(chart.x), y: axis(chart.y, { beginAtZero: true }) },
      plugins: { legend: { display: chart.series.length > 1, labels: { color: colour("text") } } },
    },
  };
}

// Points of {x, y, n, href}: their area grows with n, and a click follows href.
function points(chart) {
  const most = Math.max(1, ...chart.points.map((point) => point.n));
  const diagonal = chart.bounds
    ? [{
        type: "line",
        label: "equal",
        data: [{ x: chart.bounds[0], y: chart.bounds[0] }, { x: chart.bounds[1], y: chart.bounds[1] }],
        borderColor: colour("strong-line"),
        borderDash: [5, 5],
        borderWidth: 1,
        pointRadius: 0,
      }]
    : [];
  const ends = chart.bounds ? { suggestedMin: chart.bounds[0], suggestedMax: chart.bounds[1] } : {};
  return {
    type: "scatter",
    data: {
      datasets: [
        {
          label: chart.name || "",
          data: chart.points,
          clip: false, // points at the ends of the scale are whole
          backgroundColor: colour("first") + "99",
          borderColor: colour("first"),
          pointRadius: chart.points.map((point) => 3 + 11 * Math.sqrt((point.n - 1) / Math.max(1, most - 1))),
        },
        ...diagonal,
      ],
    },
    options: {
      scales: { x: axis(chart.x, ends), y: axis(chart.y, ends) },
      plugins: {
        legend: { display: false },
        tooltip: {
          callbacks: {
            label: ({ raw }) => `${chart.x} ${raw.x}, ${chart.y} ${raw.y}` + (raw.n > 1 ? `: ${raw.n} rows` : ""),
          },
        },
      },
      onClick: (event, found) => {
        const point = found.length ? chart.points[found[0].index] : null;
        if (point && point.href && found[0].datasetIndex === 0) location.href = point.href;
      },
    },
  };
}

const KINDS = { bars, points };

function draw(canvas) {
  const chart = JSON.parse(canvas.dataset.chart);
  const config = KINDS[chart.kind](chart);
  config.options = { responsive: true, maintainAspectRatio: false, animation: false, ...config.options };
  drawn.get(canvas)?.destroy();
  drawn.set(canvas, new Chart(canvas, config));
}

function drawAll(root) {
  for (const [canvas, chart] of drawn) {
    if (!canvas.isConnected) {
      chart.destroy();
      drawn.delete(canvas);
    }
  }
  root.querySelectorAll("canvas[data-chart]").forEach(draw);
}

document.addEventListener("DOMContentLoaded", () => {
  drawAll(document);
  new MutationObserver(() => drawAll(document)).observe(document.documentElement, { attributeFilter: ["class"] });
});
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target.parentElement || document));
