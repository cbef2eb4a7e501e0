"""What a registered model is made of."""


def test_parts_of_the_small_shop_are_counted(shop):
    made = shop.base.composition
    assert (made.numbers, made.categories, made.networks, made.members) == (1, 1, 1, 4)
    # A linear network of age and city: a weight, one for each code (missing, unseen, two cities), a constant.
    assert made.weights == 1 + 4 + 1
    assert (made.trees, made.leaves, made.rows) == (0, 0, 400)
    assert made.row_seconds > 0
    assert made.bytes > 1000
