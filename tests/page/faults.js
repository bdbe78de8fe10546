// Text is compared with the nearest ground behind it that is not transparent.
const faults = [];
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) {
  faults.push(`the page is ${document.documentElement.scrollWidth} wide, and the window ${width}`);
}
const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
const luminance = ([red, green, blue]) => {
  const part = (value) => value <= 10.3 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = channels(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  if (!text || ["STYLE", "SCRIPT"].includes(element.tagName)) continue;
  const box = element.getBoundingClientRect();
  // What is kept for those who listen is not to be seen.
  if (box.width <= 1 || element.closest("thead") && getComputedStyle(element.closest("thead")).position === "absolute") continue;
  if (box.right > width + 1 || box.left < -1) faults.push(`"${text}" goes from ${box.left} to ${box.right}`);
  const style = getComputedStyle(element);
  const [one, other] = [luminance(channels(style.color)), luminance(ground(element))].sort((a, b) => b - a);
  const contrast = (one + 0.05) / (other + 0.05);
  if (contrast < 4.5) faults.push(`"${text}" has a contrast of ${contrast.toFixed(2)}`);
  if (parseFloat(style.fontSize) < 12) faults.push(`"${text}" is ${style.fontSize} high`);
}
return faults;
