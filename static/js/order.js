// An order form works without scripts. With them it is sent in place, and only a lost connection needs a word.
document.addEventListener("htmx:sendError", () => {
  const news = document.getElementById("offline");
  news.hidden = false;
  news.focus();
});
