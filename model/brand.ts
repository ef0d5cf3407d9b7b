// A plain value with a name the compiler keeps apart: made by one parser at the edge, checked nowhere after.

declare const brand: unique symbol;
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
