// The frame's behaviour. The theme writes it as expressions in attributes; our policy lets a page evaluate none.
document.addEventListener("alpine:init", () => {
  Alpine.data("theme", theme);
  Alpine.data("searchForm", searchForm);
  Alpine.data("searchCommand", searchCommand);
  Alpine.data("shell", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    window: { location: { pathname: location.pathname, search: location.search } }, // the theme's forms ask for it
    init() {
      const first = this.$el.dataset.firstTab || "";
      this.activeTab = (first && getCurrentTab()) || first;
    },
    toggleSidebar() {
      if (window.matchMedia("(min-width: 80rem)").matches) {
        this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
        localStorage.setItem("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
      } else {
        this.sidebarMobileOpen = !this.sidebarMobileOpen;
      }
    },
  }));
});

// Times: the server writes the exact one in UTC; a page shows it where its reader is, and keeps the exact one on hover.
const DAY = 24 * 3600 * 1000;
function localTime(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const near = Math.abs(Date.now() - moment.getTime()) < DAY / 2;
  const clock = { hour: "2-digit", minute: "2-digit", second: near ? "2-digit" : undefined };
  const date = { year: "numeric", month: "short", day: "numeric" };
  element.textContent = moment.toLocaleString(undefined, near ? clock : { ...date, ...clock });
}
function refresh(root) {
  root.querySelectorAll("time[datetime]").forEach(localTime);
}
document.addEventListener("DOMContentLoaded", () => refresh(document));
document.addEventListener("htmx:afterSettle", (event) => refresh(event.target.parentElement || document));

// Small manners that many pages share.
document.addEventListener("click", async (event) => {
  const menu = document.querySelector(".user-menu[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = document.getElementById(copy.dataset.copy);
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(source.textContent);
    } else {
      // Browsers give pages that came without TLS no clipboard; what is selected can be copied all the same.
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    const before = copy.textContent;
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = before), 1500);
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".user-menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
});
