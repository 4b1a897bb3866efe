// What is watched goes on being watched when an answer fails: the last one stays until the next that is good.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.target.closest("[data-watch]")) return;
  const { xhr, pathInfo } = event.detail;
  if (xhr.status >= 500) event.detail.shouldSwap = false;
  // Sent elsewhere: the session has ended, and the page as a whole asks to sign in.
  const asked = pathInfo.finalRequestPath.split("?")[0];
  if (pathInfo.responsePath && pathInfo.responsePath.split("?")[0] !== asked) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});
// Nobody looks at a hidden page: it asks for nothing until it is shown again.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-watch=live]")) event.preventDefault();
});
