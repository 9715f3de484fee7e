/** The text, or its beginning and its end around an ellipsis, in at most `width` characters. */
export function cutMiddle(text: string, width: number): string {
  // Of a text of megabytes only the ends are looked at; a character has at most two units.
  const ends = text.length > 8 * width ? text.slice(0, 2 * width) + text.slice(-2 * width) : text
  const characters = Array.from(ends)
  if (characters.length <= width) return text
  const end = Math.max(0, Math.floor((width - 1) / 2))
  const tail = end === 0 ? '' : characters.slice(-end).join('')
  return `${characters.slice(0, Math.max(0, width - 1 - end)).join('')}…${tail}`
}
