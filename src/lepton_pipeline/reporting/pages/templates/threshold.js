// Shows the confusion matrix at other thresholds; without it the page shows that of the model.
(() => {
  const box = document.getElementById("thresholds");
  const rows = JSON.parse(box.dataset.rows);
  const slider = box.querySelector("input");
  const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "–");

  function show() {
    const [threshold, found, missed, alarms, left] = rows[slider.value];
    for (const [name, value] of Object.entries({ found, missed, alarms, left })) {
      document.getElementById(`cases-${name}`).textContent = Math.round(value).toLocaleString("en");
    }
    const own = slider.value === slider.defaultValue ? ", the model's own" : "";
    box.querySelector("output").textContent =
      `${threshold.toFixed(3)}${own}: recall ${share(found, found + missed)}, precision ${share(found, found + alarms)}`;
  }

  slider.addEventListener("input", show);
  box.hidden = false;
  show();
})();
