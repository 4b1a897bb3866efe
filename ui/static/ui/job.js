// What is watched goes on being watched when an answer fails: the last one stays until the next that is good.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.closest("[data-watch]") && event.detail.xhr.status >= 500) event.detail.shouldSwap = false;
});
