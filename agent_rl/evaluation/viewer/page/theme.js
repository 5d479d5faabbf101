// Dark or light: as the system has it, until one says otherwise.

import { button } from "./dom.js";

const KEY = "agent_rl.theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a page opened from disk may have no storage
  }
}

export const isDark = () => (document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light")) === "dark";

export function startTheme() {
  const theme = kept();
  if (theme) document.documentElement.dataset.theme = theme;
  DARK.addEventListener("change", changed);
}

export function themeButton() {
  return button("◐", turn, { class: "quiet", title: "dark or light", "aria-label": "Dark or light" });
}

function turn() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // then it holds for this page alone
  }
  changed();
}

function changed() {
  document.dispatchEvent(new Event("themechange"));
}
