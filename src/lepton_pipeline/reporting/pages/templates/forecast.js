// Draws the series that a reader picks, as the pictures of the page are drawn; without it, these remain.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const { periods, coming, levels, series, order } = data;
  const middle = levels.indexOf(0.5), last = levels.length - 1, narrow = 480;
  const numbers = (text) => (text ? text.split(" ").map((each) => (each === "x" ? NaN : Number(each))) : []);
  const written = (value) => {
    const size = Math.abs(value);
    const digits = Number.isInteger(value) || size >= 1000 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(size || 1)));
    return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 6) }).replace("-", "\u2212");
  };
  const places = new Map(series.map((each, place) => [each.name, place]));
  let at = data.shown.largest;

  const parsed = ({ name, start, units, fans }) => ({
    name, start, values: numbers(units),
    fans: fans.map((fan) => {
      const [begun, ...quantiles] = fan.split(";");
      return { start: Number(begun), quantiles: quantiles.map(numbers) };
    }),
  });

  const ticksOf = (low, high) => {
    const raw = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((fine) => fine * power).find((fine) => fine >= raw * 0.999);
    const ticks = [];
    for (let tick = Math.ceil(low / step - 1e-9); tick <= Math.floor(high / step + 1e-9); tick += 1) {
      ticks.push(Number((tick * step).toPrecision(12)));
    }
    return ticks;
  };

  const draw = ({ name, start, values, fans }) => {
    const box = element("drawn"), wide = Math.max(280, box.clientWidth), small = wide < narrow;
    const height = small ? 280 : 360, svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const add = (kind, attributes, text) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
      Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
      if (text !== undefined) made.textContent = text;
      svg.append(made);
    };
    svg.setAttribute("class", "chart");
    svg.setAttribute("viewBox", `0 0 ${wide} ${height}`);
    svg.setAttribute("aria-hidden", "true");
    const known = [0, ...values, ...fans.flatMap((fan) => fan.quantiles.flat())].filter(Number.isFinite);
    const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b)) || 1;
    const ticks = ticksOf(low, high), texts = ticks.map(written);
    const left = 10 + 6.6 * Math.max(...texts.map((text) => text.length)), right = wide - 12, top = 40, bottom = height - 26;
    const x = (place) => (left + (place / Math.max(1, periods.length - 1)) * (right - left)).toFixed(1);
    const y = (value) => (bottom - ((value - low) / (high - low)) * (bottom - top)).toFixed(1);
    ticks.forEach((tick, place) => {
      add("path", { class: "grid", d: `M${left.toFixed(1)} ${y(tick)}H${right}` });
      add("text", { x: left - 7, y: Number(y(tick)) + 4, "text-anchor": "end" }, texts[place]);
    });
    data.ticks[small ? "narrow" : "wide"].forEach(([place, label]) => {
      add("path", { class: "grid", d: `M${x(place)} ${top}V${bottom}` });
      const edge = Number(x(place)) > right - 24 ? "end" : "middle";
      add("text", { x: x(place), y: bottom + 17, "text-anchor": edge }, label);
    });
    add("path", { class: "axis", d: `M${left.toFixed(1)} ${top}V${bottom}H${right}` });
    let across = 0;
    data.key.forEach(([look, meaning]) => {
      const shape = look.startsWith("band") ? `M${across} 8h18v9h-18Z` : `M${across} 12h18`;
      add("path", { class: look, d: shape });
      add("text", { x: across + 24, y: 16 }, meaning);
      across += 40 + 5.8 * meaning.length;
    });
    const line = (begun, ys, look) => {
      let path = "", pen = "M";
      ys.forEach((value, place) => {
        if (Number.isFinite(value)) path += `${pen}${x(begun + place)} ${y(value)}`;
        pen = Number.isFinite(value) ? "L" : "M";
      });
      // A line of one point has no length to see.
      if (ys.length === 1 && path) add("circle", { class: look, cx: x(begun), cy: y(ys[0]), r: 3 });
      else if (path) add("path", { class: look, d: path });
    };
    fans.forEach(({ start: begun, quantiles }) => {
      for (let pair = 0; pair < last - pair; pair += 1) {
        const there = quantiles[last - pair].map((value, place) => `${x(begun + place)} ${y(value)}`);
        const back = quantiles[pair].map((value, place) => `${x(begun + place)} ${y(value)}`).reverse();
        add("path", { class: "band range", d: `M${[...there, ...back].join("L")}Z` });
      }
    });
    line(start, values, "s1 thin");
    fans.forEach(({ start: begun, quantiles }) => line(begun, quantiles[middle], "s0"));
    if (coming < periods.length) add("path", { class: "limit", d: `M${x(coming - 0.5)} ${top}V${bottom}` });
    box.replaceChildren(svg);
    box.setAttribute("aria-label", `${name}: history, forecasts and their ranges`);
  };

  const orderText = ({ quantiles }) => {
    if (!order || quantiles[0].length < order.lead_time) return "";
    const sum = (values) => values.slice(0, order.lead_time).reduce((a, b) => a + b, 0);
    const median = sum(quantiles[middle]), width = Math.max(sum(quantiles[last]) - median, order.narrowest);
    const level = median + order.factor * width;
    return ` Order-up-to level: ${written(order.whole ? Math.ceil(level - 1e-9) : level)} units; such levels cover the `
      + `demand of the next ${order.time} in ${order.level} of all orders.`;
  };

  const tell = ({ fans }) => {
    const next = fans.find((fan) => fan.start >= coming), place = element("coming");
    place.replaceChildren();
    element("told").textContent = `Series ${written(at + 1)} of ${written(series.length)}.${next ? orderText(next) : " No coming period is forecast."}`;
    if (!next) return;
    const box = document.createElement("div"), table = document.createElement("table");
    box.className = "scroll";
    table.className = "narrow";
    const row = (parent, cells, kind) => {
      const made = parent.insertRow();
      cells.forEach((text, column) => {
        const cell = document.createElement(column ? kind : "th");
        cell.textContent = text;
        if (column) cell.className = "n";
        if (cell.tagName === "TH") cell.scope = kind === "th" ? "col" : "row";
        made.append(cell);
      });
    };
    row(table.createTHead(), [data.word, ...levels.map((level) => (level === 0.5 ? "Median" : `${Number((100 * level).toPrecision(6))} %`))], "th");
    const body = table.createTBody();
    next.quantiles[0].forEach((_, step) => {
      row(body, [periods[next.start + step], ...next.quantiles.map((values) => written(values[step]))], "td");
    });
    box.append(table);
    place.append(box);
  };

  const show = (place) => {
    at = (place + series.length) % series.length;
    const picked = parsed(series[at]);
    element("picker").value = picked.name;
    draw(picked);
    tell(picked);
  };

  const names = document.createDocumentFragment();
  series.forEach(({ name }) => {
    const option = document.createElement("option");
    option.value = name;
    names.append(option);
  });
  element("names").append(names);
  element("any").hidden = false;
  element("picker").addEventListener("focus", (event) => event.target.select());
  element("picker").addEventListener("change", (event) => {
    const typed = event.target.value.trim(), lower = typed.toLowerCase();
    const found = places.get(typed) ?? series.findIndex((each) => each.name.toLowerCase().startsWith(lower));
    if (found >= 0) show(found);
    else element("told").textContent = `There is no series \u201c${typed}\u201d.`;
  });
  element("before").addEventListener("click", () => show(at - 1));
  element("after").addEventListener("click", () => show(at + 1));
  document.querySelectorAll("[data-series]").forEach((cell) => {
    const place = places.get(cell.dataset.series);
    if (place === undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => {
      show(place);
      element("any").scrollIntoView();
    });
    cell.replaceChildren(button);
  });
  show(at);
  let wide = element("drawn").clientWidth;
  new ResizeObserver(() => {
    if (element("drawn").clientWidth === wide) return;
    wide = element("drawn").clientWidth;
    draw(parsed(series[at]));
  }).observe(element("drawn"));
})();
