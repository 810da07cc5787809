// Saves a reload: asks for the payment status until it is final, and copies account and memo.
// Without this script the page says the same after a reload.
(function () {
  "use strict";
  var slot = document.querySelector("[data-live]");
  var started = Date.now();

  function isFinal() {
    var part = slot.firstElementChild;
    return !part || part.hasAttribute("data-final");
  }

  // Every second at first; slower on a page somebody has left open.
  function pause() {
    var age = Date.now() - started;
    return age < 180000 ? 1000 : age < 900000 ? 5000 : 30000;
  }

  function later() {
    if (!isFinal()) setTimeout(ask, pause());
  }

  function ask() {
    if (document.hidden) return later();
    fetch(slot.dataset.live + location.search, { credentials: "same-origin" })
      .then(function (answer) {
        return answer.ok ? answer.text() : null;
      })
      .then(function (html) {
        if (html !== null && html.trim() !== slot.innerHTML.trim()) {
          var before = slot.firstElementChild.dataset.stage;
          slot.innerHTML = html;
          // What stands around the status depends on the stage: pay buttons, totals.
          if (slot.firstElementChild.dataset.stage !== before) {
            location.replace(location.pathname);
            return;
          }
        }
        later();
      })
      .catch(later);
  }

  if (slot) later();

  if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        var text = document.getElementById(button.dataset.copy).textContent;
        navigator.clipboard.writeText(text).then(function () {
          button.textContent = button.dataset.done;
        });
      });
    });
  }
})();
