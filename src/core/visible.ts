/**
 * What is not seen, or changes how something else is seen: control characters (C0, DEL, C1), half surrogate pairs, separators
 * of lines and paragraphs, and everything that Unicode calls ignorable or a format: direction marks and overrides, characters
 * without a width, byte order marks, variation selectors, tags.
 */
const unseen = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`

/** Scripts whose letters are written joined, or not, by a joiner between them. */
const joiningScripts =
  'Arabic Syriac Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada ' +
  'Malayalam Sinhala Tibetan Myanmar Khmer'
const joined = String.raw`(?=[\p{L}\p{M}])[${joiningScripts.replaceAll(/(\w+) ?/g, String.raw`\p{scx=$1}`)}]`

/** Between two letters or marks of such a script, and in emoji, it belongs to what is seen. */
const seen = [
  String.raw`(?<=${joined})[\u200C\u200D](?=${joined})`,
  String.raw`(?<=\p{Extended_Pictographic}\uFE0F?|\p{Emoji_Modifier})\u200D(?=\p{Extended_Pictographic})`,
  String.raw`(?<=\p{Extended_Pictographic})\uFE0F`,
].join('|')

const invisible = new RegExp(`(?!${seen})${unseen}`, 'gu')

/**
 * The text with everything that is not seen as an escape: what comes from messages, brokers, servers or disks must not move a
 * terminal's cursor, colour it, or turn its text around. Tabs stay; a newline is an escape too, so that it begins no line.
 */
export function visible(text: string): string {
  return text.replaceAll(invisible, (character) => (character === '\t' ? character : escaped(character)))
}

/** The same for text of several lines, whose newlines stay. */
export function visibleLines(text: string): string {
  return text.replaceAll(invisible, (character) =>
    character === '\t' || character === '\n' ? character : escaped(character),
  )
}

/** The same for JSON, which means the same afterwards: inside of it everything invisible is spelt `\uXXXX`. */
export function visibleJson(json: string): string {
  return json.replaceAll(invisible, (character) =>
    // Between the tokens of JSON; within a string JSON itself has them as escapes.
    character === '\t' || character === '\n' || character === '\r'
      ? character
      : Array.from({ length: character.length }, (_, unit) => `\\u${hex(character.charCodeAt(unit), 4)}`).join(''),
  )
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code <= 0xff) return `\\x${hex(code, 2)}`
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 5)}}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
