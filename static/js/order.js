// An order form works without scripts. With them it is sent in place, and where no answer comes what was typed stays.
for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, () => {
    const news = document.getElementById("offline");
    news.hidden = false;
    news.focus();
  });
}
