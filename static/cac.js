// What makes CAC more comfortable. Every page works without it.
"use strict";

// After a mistake, the list of what to correct is read first.
document.querySelector(".summary")?.focus();

// Copy buttons: shown only where the browser lets a page copy. One without a value of its own copies the whole list beside it.
function whole(section) {
  const rows = [...section.querySelector("dl").children];
  return rows.map((row) => `${row.querySelector("dt").textContent}: ${row.querySelector("dd > span").textContent}`).join("\n");
}
for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const status = document.getElementById("copiado");
  const words = button.textContent;
  const name = button.closest("dl > div")?.querySelector("dt").textContent;
  const label = (text, isDone) => { button.textContent = text; button.classList.toggle("done", isDone); };
  button.hidden = false;
  button.addEventListener("click", async () => {
    status.textContent = "";  // so that a second copy is announced too
    try {
      await navigator.clipboard.writeText(button.dataset.copy || whole(button.closest("section")));
      label("Copiado ✓", true);
      status.textContent = name ? `${name} copiado` : "Todo copiado";
    } catch {
      label("No se pudo", false);
      status.textContent = `No se pudo copiar: seleccione el ${name ?? "texto"} y cópielo`;
    }
    setTimeout(label, 2000, words, false);
  });
}

// Passwords can be looked at while they are typed. The name of the button stays: aria-pressed tells its state.
function show(input, button, isShown) {
  input.type = isShown ? "text" : "password";
  button.textContent = isShown ? "Ocultar" : "Mostrar";
  button.setAttribute("aria-pressed", String(isShown));
}
for (const input of document.querySelectorAll("input[type=password]")) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet" });
  const box = Object.assign(document.createElement("div"), { className: "reveal" });
  button.setAttribute("aria-label", `Mostrar u ocultar: ${input.labels[0].textContent}`);
  button.setAttribute("aria-controls", input.id);
  button.addEventListener("click", () => show(input, button, input.type === "password"));
  show(input, button, false);
  input.replaceWith(box);
  box.append(input, button);
  input.form.addEventListener("submit", () => show(input, button, false));  // browsers would remember it as a text
}

// A form is sent once: a second click within ten seconds is ignored. Buttons stay enabled, as their values are sent.
const sent = new Map();
addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.timeStamp - sent.get(event.target) < 10000) event.preventDefault();
  else sent.set(event.target, event.timeStamp);
});
addEventListener("pageshow", () => sent.clear());
