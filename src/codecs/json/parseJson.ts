import { TidemarkError } from '../../core/errors.ts'
import { malformedJson, parseExact } from './parseExact.ts'
import { exceedsDepth, hasInexactNumber, loneSurrogateEscape } from './scanJson.ts'

/** The default of `json.max.depth`. */
export const defaultMaxDepth = 256

/** The deepest nesting that can be allowed: what walks a parsed value may recurse. */
export const highestMaxDepth = 1_000

export interface ParseJsonOptions {
  /** Levels of arrays and objects. Default 256, at most 1,000 (more counts as 1,000). */
  readonly maxDepth?: number
  /**
   * `double` (default): numbers are JavaScript's, digits that do not fit are lost. `exact`: a number whose text would
   * not survive is a `JsonNumber`.
   */
  readonly numbers?: 'double' | 'exact'
}

/**
 * Parses one JSON text from a message, which nobody vouches for. Of duplicate keys the last wins; `__proto__` and
 * `constructor` are ordinary own keys (never copy them by assignment). Strings that are not well-formed Unicode are
 * refused: two different ones would have the same UTF-8 bytes.
 *
 * Throws `too-deep` or `malformed-json`, both of kind `record`, with a sentence that quotes nothing of the text.
 * Time and memory are linear in the text's length.
 */
export function parseJson(text: string, options: ParseJsonOptions = {}): unknown {
  const maxDepth = Math.min(options.maxDepth ?? defaultMaxDepth, highestMaxDepth)
  if (exceedsDepth(text, maxDepth)) {
    throw new TidemarkError(
      'too-deep',
      `The JSON is nested deeper than ${String(maxDepth)} levels; json.max.depth sets the limit.`,
      { details: { maxDepth } },
    )
  }
  const value = options.numbers === 'exact' && hasInexactNumber(text) ? parseExact(text) : parseDoubles(text)
  // Rare in both cases, and only a text that parses has escapes to look at.
  if (!text.isWellFormed()) throw malformedJson(text, 0, 'the text has half a surrogate pair')
  const lone = loneSurrogateEscape(text)
  if (lone >= 0) throw malformedJson(text, lone, 'an escape stands for half a surrogate pair')
  return value
}

function parseDoubles(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // V8's sentence quotes the text and changes between versions; ours comes from reading the text once more.
    parseExact(text)
    throw new TidemarkError('malformed-json', 'The value is not valid JSON.')
  }
}
