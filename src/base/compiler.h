/* Compiler attributes and small macros for the whole tree. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NO_INLINE __attribute__((noinline))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
