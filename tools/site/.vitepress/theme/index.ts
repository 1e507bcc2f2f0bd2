// without its fonts: the system's are used
import DefaultTheme from "vitepress/theme-without-fonts";
// oxlint-disable-next-line import/no-unassigned-import -- this is how a page gets a style
import "./style.css";

export default DefaultTheme;
