// Branded types: a plain value that only its parser makes. The compiler rejects any other value, so no later check is needed.

declare const brand: unique symbol;
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
